import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

import { call, World } from '../mockserver.mjs'

const server = new World(process.env.MACHINS_MOCK_URL)
let world

beforeAll(async () => { world = await server.createWorld() })
beforeEach(() => world.control('POST', 'reset'))
afterAll(() => server.control('DELETE', `worlds/${world.name}`))

function devices(endpoint, orgKey) {
  const url = `${world.machineidBaseUrl}/api/v1/devices/${endpoint}`
  return call('POST', url, { deviceId: 'agent-01' }, { 'x-org-key': orgKey })
}

test('a registered device is allowed', async () => {
  const { org_key } = await world.control('POST', 'machineid/orgs', { plan: 'pro' })
  await devices('register', org_key)
  const { status, body } = await devices('validate', org_key)
  expect([status, body.allowed, body.code]).toEqual([200, true, 'ALLOW'])
})

test('a revoked device is denied', async () => {
  const org = { org_key: 'org_tests', plan: 'pro', revoked: ['agent-01'] }
  await world.control('POST', 'fixtures', { orgs: [org] })
  const { body } = await devices('validate', 'org_tests')
  expect([body.allowed, body.code]).toEqual([false, 'DEVICE_REVOKED'])
})

test('an outage is seen in the journal', async () => {
  const { org_key } = await world.control('POST', 'machineid/orgs', { plan: 'pro' })
  await world.control('POST', 'faults', { kind: 'status', status: 503, times: 1 })
  expect((await devices('validate', org_key)).status).toBe(503)
  const match = { path: '/api/v1/devices/validate', status: 503 }
  const { requests } = await world.control('POST', 'requests/wait', { match })
  expect(requests[0].device).toBe('agent-01')
})
