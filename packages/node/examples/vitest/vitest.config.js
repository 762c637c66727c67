export default { test: { globalSetup: 'machins-mock/global-setup' } }
