'use strict'

const assert = require('node:assert/strict')
const { spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs')
const { tmpdir } = require('node:os')
const path = require('node:path')
const { createInterface } = require('node:readline')
const { after, afterEach, before, beforeEach, describe, test } = require('node:test')
const {
  MockServerError,
  WaitTimeoutError,
  connectMockServer,
  startMockServer,
} = require('machins-mock')

let server, world
before(async () => { server = await startMockServer() })
beforeEach(async () => { world = await server.createWorld() })
afterEach(() => world.delete())
after(() => server.stop())

async function device(org, endpoint) {
  const reply = await fetch(`${world.machineidBaseUrl}/api/v1/devices/${endpoint}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-org-key': org.key },
    body: JSON.stringify({ deviceId: 'agent-01' }),
  })
  const text = await reply.text()
  return { status: reply.status, body: text && JSON.parse(text) }
}

test('a registered device is allowed', async () => {
  const org = await world.createOrg({ plan: 'pro' })
  await device(org, 'register')
  const { status, body } = await device(org, 'validate')
  assert.deepEqual([status, body.allowed, body.code], [200, true, 'ALLOW'])
})

test('settings of an org decide', async () => {
  const org = await world.createOrg({ key: 'org_mine' })
  await device(org, 'register')
  assert.equal((await org.update({ frozen: true, plan: 'scale' })).limit, 250)
  assert.equal((await device(org, 'validate')).body.code, 'PLAN_FROZEN')
})

test('an agent has what it was given', async () => {
  const agent = await world.createAgent({ slug: 'buyer', credits: '12.50', tier: 'verified' })
  const headers = { 'x-api-key': agent.apiKey }
  const wallet = await (await fetch(`${world.machinsBaseUrl}/wallets/me`, { headers })).json()
  assert.deepEqual([wallet.balance, agent.slug, agent.tier], ['12.50', 'buyer', 'verified'])
})

test('fixtures make a dispute that is resolved', async () => {
  await world.loadFixtures({
    agents: [{ slug: 'seller' }, { slug: 'buyer' }],
    listings: [
      { agent: 'seller', slug: 'summary', title: 'A summary', listing_type: 'task', price: 50 },
    ],
    trades: [{ listing: 'summary', buyer: 'buyer', status: 'disputed' }],
  })
  const [[listing], [trade]] = [await world.listings(), await world.trades()]
  assert.deepEqual([listing.slug, trade.status], ['summary', 'disputed'])
  assert.equal((await world.resolveTrade(trade.id, 'refund')).status, 'resolved')
  assert.equal((await world.ledger()).balanced, true)
})

test('a fault hits what it names until it is removed', async () => {
  const org = await world.createOrg()
  const fault = await world.faults.status(429, {
    body: { error: 'slow down' },
    retryAfter: 2,
    after: 1,
    device: 'agent-01',
    bodyContains: { deviceId: 'agent-01' },
  })
  assert.notEqual((await device(org, 'register')).status, 429)
  assert.equal((await device(org, 'validate')).status, 429)
  assert.equal(await fault.hits(), 1)
  await fault.remove()
  assert.equal((await device(org, 'validate')).status, 200)
})

test('every kind of fault is accepted', async () => {
  const { faults } = world
  const path = '/nowhere'
  await faults.delay(500, { path })
  await faults.dropBefore({ path })
  await faults.dropAfter({ path })
  await faults.truncate({ path, probability: 0.5 })
  await faults.garbage({ path, method: 'GET' })
  await faults.slowBody(1000, { path, query: { page: '1' } })
  for (const kind of ['duplicate', 'drop', 'reorder', 'bad_signature']) await faults.webhook(kind)
  await faults.webhook('delay', { milliseconds: 1500, event: 'trade_proposed', times: 1 })
  await faults.add({ kind: 'status', status: 500, match: { path } })
  assert.equal((await faults.list()).length, 12)
  await faults.clear()
  assert.deepEqual(await faults.list(), [])
})

test('the clock moves and stands still', async () => {
  const start = new Date('2030-01-31T12:00:00Z')
  await world.clock.freeze()
  assert.deepEqual(await world.clock.set(start), start)
  await world.clock.advance(3_600_500)
  assert.deepEqual(await world.clock.now(), new Date('2030-01-31T13:00:00.500Z'))
  assert.ok((await world.clock.unfreeze()) >= start)
})

test('requests are recorded and waited for', async () => {
  const org = await world.createOrg()
  await device(org, 'register')
  await device(org, 'validate')
  const [request] = await world.waitForRequests({ path: '/**/validate', device: 'agent-01' })
  assert.deepEqual([request.status, request.reply.code], [200, 'ALLOW'])
  assert.deepEqual(await world.requests({ path: '/**/validate', limit: 1 }), [request])
  await world.clearRequests()
  assert.deepEqual(await world.requests(), [])
})

test('a wait in vain says what came instead', async () => {
  await device(await world.createOrg(), 'register')
  const wait = world.waitForRequests({ path: '/**/validate' }, { timeout: 0 })
  await assert.rejects(wait, (error) => {
    assert.ok(error instanceof WaitTimeoutError)
    assert.match(error.message, /POST \/api\/v1\/devices\/register: 20/)
    return error.others.length === 1
  })
  await assert.rejects(world.waitForWebhooks({}, { timeout: 0 }), { code: 'TIMEOUT' })
  assert.deepEqual(await world.webhooks(), [])
})

test('a snapshot brings the world back', async () => {
  const org = await world.createOrg()
  await device(org, 'register')
  const snapshot = await world.snapshot()
  await world.reset()
  assert.equal((await device(org, 'validate')).status, 404)
  await world.restore(snapshot)
  assert.equal((await device(org, 'validate')).status, 200)
})

test('a refusal is an error that says why', async () => {
  await world.createOrg({ key: 'org_twice' })
  await assert.rejects(world.createOrg({ key: 'org_twice' }), (error) => {
    assert.ok(error instanceof MockServerError)
    assert.deepEqual([error.status, error.code], [409, 'DUPLICATE'])
    return true
  })
  await assert.rejects(world.control('POST', 'machineid/orgs', { colour: 'red' }), /colour/)
})

describe('a server', () => {
  test('repeats its keys with a seed, and stops', async () => {
    const [one, other] = await Promise.all([
      startMockServer({ seed: 7 }),
      startMockServer({ seed: 7 }),
    ])
    assert.equal((await one.createOrg()).key, (await other.createOrg()).key)
    await assert.rejects(one.delete(), /only reset/)
    await Promise.all([one.stop(), other.stop()])
    await one.stop()
    await assert.rejects(one.reset(), MockServerError)
  })

  test('that does not start is an error', async () => {
    await assert.rejects(startMockServer({ args: ['--no-such-option'] }), /status 2/)
  })

  test('is stopped at the end of the block that uses it', async () => {
    const own = await startMockServer()
    await own[Symbol.asyncDispose]()
    await assert.rejects(own.reset(), MockServerError)
  })

  test('is called whatever a test has replaced', () => {
    const code = `
      const { startMockServer } = require('machins-mock')
      const replaced = () => { throw new Error('replaced') }
      globalThis.fetch = replaced
      const http = require('node:http')
      class Agent extends http.Agent { createConnection = replaced }
      Object.assign(http, { Agent, get: replaced, globalAgent: new Agent(), request: replaced })
      startMockServer()
        .then(async (server) => { console.log(await server.requests()); await server.stop() })`
    const proxy = 'http://127.0.0.1:9'
    const env = { ...process.env, NODE_USE_ENV_PROXY: '1', HTTP_PROXY: proxy, http_proxy: proxy }
    const options = { cwd: __dirname, encoding: 'utf8', env }
    assert.equal(spawnSync(process.execPath, ['-e', code], options).stdout, '[]\n')
  })

  test('does not keep the program running', () => {
    const code = "require('machins-mock').startMockServer().then(({ url }) => console.log(url))"
    const options = { cwd: __dirname, encoding: 'utf8', timeout: 60_000 }
    const { status, stdout } = spawnSync(process.execPath, ['-e', code], options)
    assert.equal(status, 0)
    assert.match(stdout, /^http:/)
  })

  test('is imported by a module, too', () => {
    const code = "import { startMockServer } from 'machins-mock'; console.log(typeof startMockServer)"
    const args = ['--input-type=module', '-e', code]
    const { stdout } = spawnSync(process.execPath, args, { cwd: __dirname, encoding: 'utf8' })
    assert.equal(stdout, 'function\n')
  })
})

describe('the program', () => {
  const run = (code, env) =>
    spawnSync(process.execPath, ['-e', code], {
      cwd: __dirname,
      encoding: 'utf8',
      env: { PATH: process.env.PATH, ...env },
    })

  test('is the one that MACHINS names', () => {
    const code = "console.log(require('machins-mock').program())"
    assert.equal(run(code, { MACHINS: '/opt/machins' }).stdout, '/opt/machins\n')
  })

  test('that cannot be started is an error', () => {
    const code = "require('machins-mock').startMockServer().catch((e) => console.log(e.message))"
    assert.match(run(code, { MACHINS: '/nonexistent' }).stdout, /could not start \/nonexistent/)
  })

  test('that is not machins is an error, and ended', (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'machins-mock-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const other = path.join(folder, 'other')
    writeFileSync(other, '#!/bin/sh\necho $$\nexec sleep 600\n', { mode: 0o700 })
    const code = "require('machins-mock').startMockServer().catch((e) => console.log(`${e}`))"
    const { stdout } = run(code, { MACHINS: other })
    const [, pid] = /MockServerError: .*other is not machins: it printed "(\d+)"/.exec(stdout)
    assert.throws(() => process.kill(Number(pid), 0), { code: 'ESRCH' })
  })

  test('is run by the command machins-mock', () => {
    const command = [require.resolve('../lib/command.js'), 'serve', '--help']
    const { status, stdout } = spawnSync(process.execPath, command, { encoding: 'utf8' })
    assert.equal(status, 0)
    assert.match(stdout, /--until-stdin-closes/)
  })
})

describe('the command machins-mock', () => {
  const start = async (t, ...args) => {
    const command = [require.resolve('../lib/command.js'), ...args]
    // `exec` looks after the config file of the home.
    const env = { ...process.env, HOME: tmpdir() }
    const child = spawn(process.execPath, command, { env, stdio: ['ignore', 'pipe', 'inherit'] })
    t.after(() => {
      child.kill('SIGKILL')
      child.stdout.destroy()
    })
    // After both it and the program have closed stdout.
    const closed = once(child, 'close')
    const [line] = await once(createInterface(child.stdout), 'line')
    return { child, closed, line }
  }
  const serve = ['--json', 'serve', '--port', '0', '--log', 'off']

  for (const signal of ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM']) {
    test(`ends with its server on ${signal}`, { timeout: 20_000 }, async (t) => {
      const { child, closed, line } = await start(t, ...serve)
      child.kill(signal)
      assert.deepEqual(await closed, [0, null])
      await assert.rejects(connectMockServer(JSON.parse(line).url).reset(), MockServerError)
    })
  }

  test('takes its server along when it is killed', { timeout: 20_000 }, async (t) => {
    const { child, closed } = await start(t, ...serve)
    child.kill('SIGKILL')
    await closed
  })

  test('stops its server with stdin if asked to', { timeout: 20_000 }, async (t) => {
    // There is nothing on stdin.
    const { closed } = await start(t, ...serve, '--until-stdin-closes')
    assert.deepEqual(await closed, [0, null])
  })

  test('passes signals on to a command', { timeout: 20_000 }, async (t) => {
    const script = 'trap "exit 7" INT; echo ready; sleep 600 & wait'
    const { child, closed } = await start(t, 'exec', '--', 'sh', '-c', script)
    child.kill('SIGINT')
    assert.deepEqual(await closed, [7, null])
  })

  test('says which program cannot be run', () => {
    const env = { ...process.env, MACHINS: '/nonexistent' }
    const command = [require.resolve('../lib/command.js'), 'serve']
    const { status, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8', env })
    assert.equal(status, 1)
    assert.match(stderr, /^machins-mock: .*\/nonexistent/)
  })
})

describe('global setup', () => {
  test('starts a server for the run and stops it', async () => {
    const setup = require('machins-mock/global-setup')
    const teardown = require('machins-mock/global-teardown')
    delete process.env.MACHINS_MOCK_URL
    assert.throws(() => connectMockServer(), /MACHINS_MOCK_URL/)
    await setup()
    const shared = connectMockServer()
    await shared.createOrg()
    await teardown()
    await assert.rejects(shared.reset(), MockServerError)
    assert.equal(process.env.MACHINS_MOCK_URL, undefined)
  })

  test('leaves a server of somebody else alone', async () => {
    process.env.MACHINS_MOCK_URL = server.url
    assert.equal(await require('machins-mock/global-setup')(), undefined)
    assert.equal(process.env.MACHINS_MOCK_URL, server.url)
    delete process.env.MACHINS_MOCK_URL
  })
})
