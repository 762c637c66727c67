'use strict'

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

/** Calls the control API and returns the JSON of its reply. */
async function call(method, url, body) {
  let reply, text
  try {
    reply = await fetch(url, {
      method,
      headers: { 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    })
    text = await reply.text()
  } catch (error) {
    const reason = error.cause?.message ?? error.message
    throw new MockServerError(`${method} ${url}: ${reason}`, { cause: error })
  }
  const document = parsed(text)
  if (reply.ok && document !== undefined) return document
  const { status } = reply
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
