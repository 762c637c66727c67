import { expect, test } from 'vitest'

import { call } from '../mockserver.mjs'
import { fifteen, ownWorld } from '../world.mjs'

const own = ownWorld()

test.each(fifteen)('an agent has the credits it was given (%i)', async (number) => {
  const agent = { slug: 'buyer', api_key: 'at_buyer', credits: 100 + number }
  await own.world.control('POST', 'machins/agents', agent)
  const url = `${own.world.machinsBaseUrl}/wallets/me`
  const { status, body } = await call('GET', url, undefined, { 'x-api-key': 'at_buyer' })
  expect([status, Number(body.balance)]).toEqual([200, 100 + number])
})
