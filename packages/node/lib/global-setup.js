'use strict'

// `globalSetup` of vitest and of jest: one server for the run, at `MACHINS_MOCK_URL`, unless one is
// already there. vitest calls what this returns at the end; jest needs `global-teardown`, too.

const { startMockServer } = require('./server.js')

module.exports = async function setup() {
  if (process.env.MACHINS_MOCK_URL) return undefined
  const server = await startMockServer()
  // Inherited by the workers.
  process.env.MACHINS_MOCK_URL = server.url
  const stop = async () => {
    delete process.env.MACHINS_MOCK_URL
    await server.stop()
  }
  globalThis[Symbol.for('machins-mock.stop')] = stop
  return stop
}
