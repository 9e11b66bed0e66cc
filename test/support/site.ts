/** The whole product behind a real port of this process, for what needs a real browser. */
import { once } from 'node:events'
import { createAdaptorServer } from '@hono/node-server'
import { createTestApp, type TestApp } from './app.ts'
import { freePort } from './server-process.ts'

export interface Site {
  readonly t: TestApp
  readonly origin: string
  /** Called with every request before it is answered. */
  before: (request: Request) => Promise<void>
  close(): Promise<void>
}

export async function openTestSite(options: Parameters<typeof createTestApp>[0] = {}): Promise<Site> {
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const t = await createTestApp({ ...options, env: { PUBLIC_URL: origin, ...options.env } })
  const server = createAdaptorServer({
    fetch: async (request) => {
      await opened.before(request)
      return t.app.http.fetch(request)
    },
  })
  const opened: Site = {
    t,
    origin,
    before: async () => undefined,
    async close() {
      server.close()
      if ('closeAllConnections' in server) server.closeAllConnections()
      await t.close()
    },
  }
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return opened
}
