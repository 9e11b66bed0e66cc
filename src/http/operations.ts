import { Hono } from 'hono'

/** What operators and load balancers ask: alive, ready, which build. */
export function createOperations(deps: {
  /** Answers, or rejects, within the bounds of a database call. */
  database: { ping(): Promise<void> }
  version: string
  /** False while draining. */
  ready: () => boolean
}): Hono {
  const app = new Hono()

  app.get('/healthz', (c) => c.json({ ok: true }))
  app.get('/version', (c) => c.json({ name: 'orkestrate', version: deps.version, node: process.version }))

  app.get('/readyz', async (c) => {
    if (!deps.ready()) return c.json({ ready: false, reason: 'draining' }, 503)
    try {
      await deps.database.ping()
      return c.json({ ready: true })
    } catch {
      return c.json({ ready: false, reason: 'database unreachable' }, 503)
    }
  })

  return app
}
