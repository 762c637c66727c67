// Read by the type checker only: what a user may write.

import setup from 'machins-mock/global-setup'
import teardown from 'machins-mock/global-teardown'
import { startMockServer, WaitTimeoutError, type MockServer, type World } from 'machins-mock'

export async function use(): Promise<void> {
  const server: MockServer = await startMockServer({ seed: 1, args: ['--strict'] })
  const world: World = await server.createWorld({ name: 'mine' })
  const org = await world.createOrg({ plan: 'pro' })
  await org.update({ frozen: true, executionEnabled: false })
  const fault = await world.faults.status(503, { retryAfter: 2, path: '/**', times: 1 })
  const hits: number = await fault.hits()
  const [request] = await world.waitForRequests({ status: 503 }, { count: hits, timeout: 100 })
  const path: string | undefined = request?.path
  const now: Date = await world.clock.advance(1000)
  // @ts-expect-error: a plan that does not exist.
  await world.createOrg({ plan: 'gold' })
  // @ts-expect-error: faults have no condition on the status.
  await world.faults.garbage({ status: 200 })
  const error: Error = new WaitTimeoutError()
  console.log(path, now, error)
  await server.stop()
  await using other: MockServer = await startMockServer()
  await other.reset()
}

export async function wrapped(): Promise<void> {
  const stop: (() => Promise<void>) | undefined = await setup()
  await stop?.()
  await teardown()
}
