import { afterAll, beforeAll, beforeEach } from 'vitest'

import { call, World } from './mockserver.mjs'

/** A world of this test file's own, which is empty when a test begins. */
export function ownWorld() {
  const server = new World(process.env.MACHINS_MOCK_URL)
  const own = {}
  beforeAll(async () => { own.world = await server.createWorld() })
  beforeEach(() => own.world.control('POST', 'reset'))
  afterAll(() => server.control('DELETE', `worlds/${own.world.name}`))
  return own
}

/** Calls MachineID about a device. */
export function device(world, endpoint, orgKey, deviceId = 'agent-01') {
  const url = `${world.machineidBaseUrl}/api/v1/devices/${endpoint}`
  return call('POST', url, { deviceId }, { 'x-org-key': orgKey })
}

/** Fifteen numbers: each file repeats its test, so that workers which disturb each other are noticed. */
export const fifteen = Array.from({ length: 15 }, (_, number) => number)
