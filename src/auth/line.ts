import { OAuthError } from './oauth-error.ts'

/**
 * Does `atOnce` pieces of work at a time; `waiting` more wait, in order. Who comes when all places are taken is told so
 * at once: a flood of sign-ins then takes neither the memory nor what everything else needs.
 */
export type Line = <T>(work: () => Promise<T>) => Promise<T>

/** The returned function throws OAuthError temporarily_unavailable when all places are taken. */
export function createLine(atOnce: number, waiting: number): Line {
  const line: (() => void)[] = []
  let running = 0
  return async (work) => {
    if (running < atOnce) running += 1
    else if (line.length < waiting) await new Promise<void>((go) => line.push(go))
    else {
      throw new OAuthError('temporarily_unavailable', 'Many people are signing in just now. Try again in a moment.', {
        retryAfterSeconds: 2,
      })
    }
    try {
      return await work()
    } finally {
      // The place goes to the next in line, if there is one.
      const next = line.shift()
      if (next === undefined) running -= 1
      else next()
    }
  }
}
