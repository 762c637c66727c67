'use strict'

// `globalTeardown` of jest: stops the server of `global-setup`.

module.exports = async function teardown() {
  await globalThis[Symbol.for('machins-mock.stop')]?.()
}
