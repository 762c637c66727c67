import { expect, test } from 'vitest'

import { device, fifteen, ownWorld } from '../world.mjs'

const own = ownWorld()

test.each(fifteen)('an outage hits one device and is seen in the journal (%i)', async () => {
  const org = { org_key: 'org_tests', plan: 'pro', devices: ['agent-01', 'agent-02'] }
  await own.world.control('POST', 'fixtures', { orgs: [org] })
  const outage = { kind: 'status', status: 503, times: 1, match: { device: 'agent-01' } }
  await own.world.control('POST', 'faults', outage)
  expect((await device(own.world, 'validate', 'org_tests', 'agent-02')).status).toBe(200)
  expect((await device(own.world, 'validate', 'org_tests')).status).toBe(503)
  const match = { path: '/api/v1/devices/validate', status: 503 }
  const { requests } = await own.world.control('POST', 'requests/wait', { match })
  expect(requests.map((request) => request.device)).toEqual(['agent-01'])
})
