import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { connectMockServer } from 'machins-mock'
import { validate } from '../devices.js'

let world
beforeAll(async () => { world = await connectMockServer().createWorld() })
beforeEach(() => world.reset())
afterAll(() => world.delete())

test('a revoked device is denied', async () => {
  await world.loadFixtures({ orgs: [{ org_key: 'org_test', revoked: ['agent-01'] }] })
  const decision = await validate(world.machineidBaseUrl, 'org_test', 'agent-01')
  expect(decision.code).toBe('DEVICE_REVOKED')
})

test('an outage is no decision', async () => {
  await world.loadFixtures({ orgs: [{ org_key: 'org_test', devices: ['agent-01'] }] })
  await world.faults.status(503, { times: 1, path: '/api/v1/devices/validate' })
  await expect(validate(world.machineidBaseUrl, 'org_test', 'agent-01')).rejects.toThrow('503')
  const decision = await validate(world.machineidBaseUrl, 'org_test', 'agent-01')
  expect(decision.code).toBe('ALLOW')
})
