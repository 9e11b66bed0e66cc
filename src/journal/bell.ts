/** A wake-up for one sleeper. Rung while nobody sleeps, it is remembered, once. */
export interface Bell {
  readonly ring: () => void
  /** Forgets a ring that nobody slept through. */
  forget(): void
  /** Resolves when it is rung, at once if it was, and in any case after `atMostMs`; the ring is forgotten then. */
  rung(atMostMs?: number): Promise<void>
}

export function createBell(): Bell {
  let isRung = false
  let awake: (() => void) | null = null
  return {
    ring() {
      isRung = true
      awake?.()
    },
    forget() {
      isRung = false
    },
    async rung(atMostMs) {
      if (!isRung) {
        await new Promise<void>((resolve) => {
          const timer = atMostMs === undefined ? undefined : setTimeout(resolve, atMostMs)
          awake = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
      awake = null
      isRung = false
    },
  }
}
