'use strict'

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { createInterface } = require('node:readline')
const { MockServerError } = require('./control.js')
const { program } = require('./program.js')
const { World } = require('./world.js')

class MockServer extends World {
  #child
  #exited

  constructor(url, child, exited) {
    super(url)
    this.#child = child
    this.#exited = exited
  }

  async stop() {
    // Until it has ended, it keeps this program running.
    this.#child.ref()
    this.#child.stdin.end()
    await this.#exited
  }

  [Symbol.asyncDispose]() {
    return this.stop()
  }
}

async function startMockServer({ seed, args = [], log = false } = {}) {
  const command = ['--json', 'mock', 'serve', '--port', '0', '--until-stdin-closes']
  command.push('--log', log ? 'text' : 'off')
  if (seed !== undefined) command.push('--seed', String(seed))
  const path = program()
  // It ends when this process does, even if that is killed: its stdin is closed then.
  const child = spawn(path, [...command, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  // After what it has printed was read.
  const exited = once(child, 'close')
  const failed = exited.then(
    ([status]) => {
      throw new MockServerError(`${path} mock serve ended with status ${status}; see stderr`)
    },
    (cause) => {
      const origin = process.env.MACHINS ? ', the program that MACHINS names' : ''
      throw new MockServerError(`could not start ${path}${origin}: ${cause.message}`, { cause })
    },
  )
  // The first line is printed when the server is ready.
  const [line] = await Promise.race([once(createInterface(child.stdout), 'line'), failed])
  failed.catch(() => {})
  const url = urlIn(line)
  if (url === undefined) {
    child.kill('SIGKILL')
    child.stdout.destroy()
    throw new MockServerError(`${path} is not machins: it printed ${JSON.stringify(line)}`)
  }
  // Neither the process nor its pipes keep this program running.
  child.unref()
  child.stdin.unref()
  child.stdout.unref()
  return new MockServer(url, child, exited)
}

function urlIn(line) {
  try {
    return JSON.parse(line)?.url
  } catch {
    return undefined
  }
}

function connectMockServer(url = process.env.MACHINS_MOCK_URL) {
  if (!url) throw new MockServerError('no mock server: MACHINS_MOCK_URL is not set')
  return new World(url)
}

module.exports = { connectMockServer, startMockServer }
