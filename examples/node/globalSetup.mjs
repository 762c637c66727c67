import { startServer } from './mockserver.mjs'

export default async function () {
  if (process.env.MACHINS_MOCK_URL) return
  const server = await startServer()
  // Inherited by the workers.
  process.env.MACHINS_MOCK_URL = server.url
  return () => server.stop()
}
