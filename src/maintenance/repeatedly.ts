import type { Log } from '../kernel/log.ts'

/**
 * Does something at once, and then again and again with that time in between, until it is stopped. What fails is done
 * again next time.
 *
 * @returns `stop` resolves when it is not under way any more
 */
export function startRepeating(deps: {
  log: Log
  everyMs: number
  what: string
  work: (stopping: AbortSignal) => Promise<void>
}): {
  stop(): Promise<void>
} {
  const { log, everyMs, what, work } = deps
  let timer: NodeJS.Timeout | undefined
  const stopping = new AbortController()

  async function round(): Promise<void> {
    await work(stopping.signal).catch((err: unknown) => log.warn({ err, what }, 'upkeep failed, and is tried again'))
    if (!stopping.signal.aborted) timer = setTimeout(next, everyMs).unref()
  }

  let running = round()
  function next(): void {
    running = round()
  }

  return {
    async stop() {
      stopping.abort()
      clearTimeout(timer)
      await running
    },
  }
}
