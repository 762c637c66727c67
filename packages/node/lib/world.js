'use strict'

const { call } = require('./control.js')

class World {
  constructor(url, name) {
    this.url = url.replace(/\/+$/, '')
    this.name = name
    this.machineidBaseUrl = this.url
    this.machinsBaseUrl = `${this.url}/api/v1`
    this.clock = new Clock(this)
    this.faults = new Faults(this)
  }

  control(method, path, body) {
    return call(method, `${this.url}/_mock/${path}`, body)
  }

  async reset() {
    await this.control('POST', 'reset')
  }

  async createWorld({ name, seed } = {}) {
    const world = await this.control('POST', 'worlds', { name, seed })
    return new World(world.url, world.name)
  }

  async delete() {
    if (this.name === undefined) {
      throw new Error("the server's own world cannot be removed, only reset")
    }
    await this.control('DELETE', `worlds/${encodeURIComponent(this.name)}`)
  }

  async createOrg({ plan = 'free', key } = {}) {
    const { org_key } = await this.control('POST', 'machineid/orgs', { plan, org_key: key })
    return new Org(this, org_key)
  }

  async createAgent({ slug, name, credits, tier, apiKey } = {}) {
    const body = { slug, name, credits, tier, api_key: apiKey }
    const agent = await this.control('POST', 'machins/agents', body)
    return {
      id: agent.agent_id,
      slug: agent.slug,
      name: agent.name,
      apiKey: agent.api_key,
      tier: agent.tier,
      claimUrl: agent.claim_url,
    }
  }

  loadFixtures(fixtures) {
    return this.control('POST', 'fixtures', fixtures)
  }

  async listings() {
    return (await this.control('GET', 'machins/listings')).listings
  }

  async trades() {
    return (await this.control('GET', 'machins/trades')).trades
  }

  resolveTrade(id, outcome) {
    return this.control('POST', `machins/trades/${encodeURIComponent(id)}/resolve`, { outcome })
  }

  ledger() {
    return this.control('GET', 'machins/ledger')
  }

  async requests(filter = {}) {
    const given = Object.entries(filter).filter(([, value]) => value !== undefined)
    return (await this.control('GET', `requests?${new URLSearchParams(given)}`)).requests
  }

  async waitForRequests(match = {}, { count = 1, timeout = 5000 } = {}) {
    const body = { match: conditions(match), count, timeout_ms: timeout }
    return (await this.control('POST', 'requests/wait', body)).requests
  }

  async clearRequests() {
    await this.control('DELETE', 'requests')
  }

  async webhooks() {
    return (await this.control('GET', 'webhooks')).webhooks
  }

  async waitForWebhooks(match = {}, { count = 1, timeout = 5000 } = {}) {
    const body = { match: conditions(match), count, timeout_ms: timeout }
    return (await this.control('POST', 'webhooks/wait', body)).webhooks
  }

  resendWebhook(n) {
    return this.control('POST', `webhooks/${n}/resend`)
  }

  snapshot() {
    return this.control('GET', 'state')
  }

  async restore(snapshot) {
    await this.control('PUT', 'state', snapshot)
  }
}

class Org {
  #world

  constructor(world, key) {
    this.#world = world
    this.key = key
  }

  update({ plan, executionEnabled, frozen, entitlementActive, available }) {
    return this.#world.control('PATCH', `machineid/orgs/${encodeURIComponent(this.key)}`, {
      plan,
      execution_enabled: executionEnabled,
      frozen,
      entitlement_active: entitlementActive,
      available,
    })
  }
}

class Clock {
  #world

  constructor(world) {
    this.#world = world
  }

  async now() {
    return time(await this.#world.control('GET', 'clock'))
  }

  async advance(milliseconds) {
    const seconds = milliseconds / 1000
    return time(await this.#world.control('POST', 'clock/advance', { seconds }))
  }

  async set(now) {
    return time(await this.#world.control('PUT', 'clock', { now: now.toISOString() }))
  }

  async freeze() {
    return time(await this.#world.control('PUT', 'clock', { frozen: true }))
  }

  async unfreeze() {
    return time(await this.#world.control('PUT', 'clock', { frozen: false }))
  }
}

class Fault {
  #world

  constructor(world, id) {
    this.#world = world
    this.id = id
  }

  async hits() {
    const faults = await this.#world.faults.list()
    return faults.find((fault) => fault.id === this.id)?.hits ?? 0
  }

  async remove() {
    await this.#world.control('DELETE', `faults/${this.id}`)
  }
}

class Faults {
  #world

  constructor(world) {
    this.#world = world
  }

  async add(fault) {
    return new Fault(this.#world, (await this.#world.control('POST', 'faults', fault)).id)
  }

  async list() {
    return (await this.#world.control('GET', 'faults')).faults
  }

  async clear() {
    await this.#world.control('DELETE', 'faults')
  }

  status(status, { body, retryAfter, ...options } = {}) {
    return this.#add('status', { status, body, retry_after: retryAfter }, options)
  }

  delay(milliseconds, options = {}) {
    return this.#add('delay', { millis: milliseconds }, options)
  }

  dropBefore(options = {}) {
    return this.#add('drop_before', {}, options)
  }

  dropAfter(options = {}) {
    return this.#add('drop_after', {}, options)
  }

  truncate(options = {}) {
    return this.#add('truncate', {}, options)
  }

  garbage(options = {}) {
    return this.#add('garbage', {}, options)
  }

  slowBody(milliseconds = 5000, options = {}) {
    return this.#add('slow_body', { millis: milliseconds }, options)
  }

  webhook(kind, { milliseconds, ...options } = {}) {
    return this.#add(kind, { on: 'webhook', millis: milliseconds }, options)
  }

  #add(kind, settings, { times, after, probability, ...match }) {
    const fault = { kind, ...settings, times, after, probability, match: conditions(match) }
    return this.add(fault)
  }
}

/** The conditions by the names of the control API. */
function conditions({ bodyContains, ...rest }) {
  return { ...rest, body: bodyContains }
}

function time(clock) {
  return new Date(clock.now)
}

module.exports = { World }
