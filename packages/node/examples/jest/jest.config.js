module.exports = {
  globalSetup: 'machins-mock/global-setup',
  globalTeardown: 'machins-mock/global-teardown',
}
