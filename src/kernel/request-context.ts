import { AsyncLocalStorage } from 'node:async_hooks'

const context = new AsyncLocalStorage<string>()

/** Runs `work` as part of a request; whatever it starts belongs to it too. */
export function withRequestId<T>(requestId: string, work: () => T): T {
  return context.run(requestId, work)
}

/** The id of the request that this code works for; undefined outside of any, as in the sweeper. */
export function currentRequestId(): string | undefined {
  return context.getStore()
}
