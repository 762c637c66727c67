import { expect, test } from 'vitest'

import { device, fifteen, ownWorld } from '../world.mjs'

const own = ownWorld()

test.each(fifteen)('a registered device is allowed (%i)', async () => {
  const { org_key } = await own.world.control('POST', 'machineid/orgs', { plan: 'pro' })
  await device(own.world, 'register', org_key)
  const { status, body } = await device(own.world, 'validate', org_key)
  expect([status, body.allowed, body.code]).toEqual([200, true, 'ALLOW'])
})
