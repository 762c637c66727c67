import { expect, test } from 'vitest'

import { device, fifteen, ownWorld } from '../world.mjs'

const own = ownWorld()

test.each(fifteen)('a revoked device is denied (%i)', async () => {
  const org = { org_key: 'org_tests', plan: 'pro', revoked: ['agent-01'] }
  await own.world.control('POST', 'fixtures', { orgs: [org] })
  const { body } = await device(own.world, 'validate', 'org_tests')
  expect([body.allowed, body.code]).toEqual([false, 'DEVICE_REVOKED'])
})
