import { Hono } from 'hono'
import type { Readiness } from './readiness.ts'

/** What operators and load balancers ask: alive, ready, which build. */
export function createOperations(deps: {
  version: string
  /** Answers within the bounds of a database call. */
  readiness: () => Promise<Readiness>
}): Hono {
  const app = new Hono()

  app.get('/healthz', (c) => c.json({ ok: true }))
  app.get('/version', (c) => c.json({ name: 'orkestrate', version: deps.version, node: process.version }))

  app.get('/readyz', async (c) => {
    const readiness = await deps.readiness()
    return c.json(readiness, readiness.ready ? 200 : 503, { 'Cache-Control': 'no-store' })
  })

  return app
}
