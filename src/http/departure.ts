import type { MiddlewareHandler } from 'hono'

/** The end of a replica's time, as those who send it requests are told of it before anything is refused. */
export interface Departure {
  begin(): void
  hasBegun(): boolean
  /** Once it has begun every answer asks for its connection to be closed, so that who keeps one open goes elsewhere. */
  readonly tell: MiddlewareHandler
}

export function createDeparture(): Departure {
  let begun = false
  return {
    begin() {
      begun = true
    },
    hasBegun: () => begun,
    async tell(c, next) {
      await next()
      if (begun) c.header('Connection', 'close')
    },
  }
}
