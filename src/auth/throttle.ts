/** Counts per key in fixed windows, in memory, bounded: enough for one process. */
export interface Throttle {
  /** Counts one attempt. Null when it may go on, else the seconds until the window ends. */
  take(key: string): number | null
  /** Starts over for this key. */
  forget(key: string): void
}

const KEYS_MAX = 10_000

/** @param now milliseconds of a clock that never steps back. */
export function createThrottle(limit: number, windowSeconds: number, now: () => number): Throttle {
  const windows = new Map<string, { readonly endsAt: number; count: number }>()
  return {
    take(key) {
      const at = now()
      let window = windows.get(key)
      if (window === undefined || window.endsAt <= at) {
        // Deleted first so that the map stays in the order of the windows' ends, oldest first.
        windows.delete(key)
        window = { endsAt: at + windowSeconds * 1_000, count: 0 }
        windows.set(key, window)
        const oldest = windows.keys().next()
        if (windows.size > KEYS_MAX && oldest.done === false) windows.delete(oldest.value)
      }
      window.count += 1
      return window.count <= limit ? null : Math.ceil((window.endsAt - at) / 1_000)
    },
    forget: (key) => void windows.delete(key),
  }
}
