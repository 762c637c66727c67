'use strict'

// Not by `fetch`: a test may have replaced it, and that of jsdom or happy-dom is missing or has the rules of
// a browser. What is used instead is taken now, before a test replaces that, too. An agent of its own keeps
// no connection open, and goes through no proxy of the environment.
const transport = ({ Agent, request }) => ({ agent: new Agent(), request })
const http = transport(require('node:http'))
const https = transport(require('node:https'))

/** The server refused a call of the control API, or could not be started. */
class MockServerError extends Error {
  name = 'MockServerError'

  constructor(message, { status, code, cause } = {}) {
    super(message, { cause })
    this.status = status
    this.code = code
  }
}

/** What was waited for did not happen within its time. */
class WaitTimeoutError extends MockServerError {
  name = 'WaitTimeoutError'

  constructor(reply) {
    const lines = reply.others.map((record) => `\n  ${summary(record)}`)
    super(reply.detail + lines.join(''), { status: 408, code: 'TIMEOUT' })
    this.matched = reply.matched
    this.others = reply.others
  }
}

function summary(record) {
  return record.event === undefined
    ? `${record.method} ${record.path}: ${record.status}`
    : `${record.event} to ${record.url}: ${record.status}`
}

/** Sends a request and returns the status and the text of the reply. */
function send(method, url, body) {
  return new Promise((resolve, reject) => {
    const { agent, request } = url.startsWith('https:') ? https : http
    const headers = { 'content-type': 'application/json' }
    const sent = request(url, { method, headers, agent }, (reply) => {
      let text = ''
      reply.setEncoding('utf8')
      reply.on('data', (part) => { text += part })
      reply.on('end', () => resolve({ status: reply.statusCode, text }))
      reply.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** Calls the control API and returns the JSON of its reply. */
async function call(method, url, body) {
  let reply
  try {
    reply = await send(method, url, body === undefined ? undefined : JSON.stringify(body))
  } catch (error) {
    // An error for several addresses has no message of its own.
    const reason = error.message || error.code
    throw new MockServerError(`${method} ${url}: ${reason}`, { cause: error })
  }
  const { status, text } = reply
  const document = parsed(text)
  if (status >= 200 && status < 300 && document !== undefined) return document
  if (typeof document?.detail !== 'string') {
    // Something else than a mock server answers at this address.
    const message = `${method} ${url}: status ${status}: ${text.slice(0, 200)}`
    throw new MockServerError(message, { status })
  }
  if (document.code === 'TIMEOUT') throw new WaitTimeoutError(document)
  const { detail, code } = document
  throw new MockServerError(`${method} ${url}: ${detail}`, { status, code })
}

function parsed(text) {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

module.exports = { MockServerError, WaitTimeoutError, call }
