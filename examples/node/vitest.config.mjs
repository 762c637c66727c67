export default { test: { globalSetup: './globalSetup.mjs', maxWorkers: 4 } }
