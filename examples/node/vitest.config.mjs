export default { test: { globalSetup: './globalSetup.mjs' } }
