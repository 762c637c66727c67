// A mock server and its control API, with nothing but Node.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** Sends JSON and returns the status and the JSON of the reply. */
export async function call(method, url, body, headers = {}) {
  const reply = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  })
  return { status: reply.status, body: await reply.json() }
}

/** A world on a mock server. */
export class World {
  constructor(url, name) {
    this.url = url
    this.name = name
    this.machineidBaseUrl = url
    this.machinsBaseUrl = `${url}/api/v1`
  }

  /** Calls the control API, and throws if it refuses. */
  async control(method, path, body) {
    const reply = await call(method, `${this.url}/_mock/${path}`, body)
    if (reply.status >= 400) throw new Error(`${method} ${path}: ${JSON.stringify(reply)}`)
    return reply.body
  }

  /** Creates an empty world beside this one. */
  async createWorld() {
    const { url, name } = await this.control('POST', 'worlds', {})
    return new World(url, name)
  }
}

/** Starts a server, which also ends when this process does: its stdin is closed then. */
export async function startServer(...flags) {
  const program = process.env.MACHINS || 'machins'
  const args = ['--json', 'mock', 'serve', '--port', '0', '--log', 'off', '--until-stdin-closes']
  const child = spawn(program, [...args, ...flags], { stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  // The first line is printed when the server is ready.
  const ready = once(createInterface(child.stdout), 'line')
  const [line] = await Promise.race([
    ready,
    exited.then(() => { throw new Error('the mock server did not start') }),
  ])
  const server = new World(JSON.parse(line).url)
  server.stop = async () => {
    child.stdin.end()
    await exited
  }
  return server
}
