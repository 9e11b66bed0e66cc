type Outcome<Value> = { readonly value: Value } | { readonly error: unknown }

/**
 * Remembers what `load` gave for `freshMs`, and what it threw for `retryMs`, then loads again. An older value goes on
 * being used meanwhile, and for as long as loading fails; where there is none, all who ask wait for the same load.
 *
 * @param now milliseconds of a clock that never steps back.
 */
export function remembered<Value>(
  load: () => Promise<Value>,
  { freshMs, retryMs }: { readonly freshMs: number; readonly retryMs: number },
  now: () => number,
): () => Promise<Value> {
  let last: Outcome<Value> | undefined
  let loadAgainAt = -Infinity
  let loading: Promise<Outcome<Value>> | undefined

  async function reload(): Promise<Outcome<Value>> {
    const outcome = await load().then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    )
    loadAgainAt = now() + ('value' in outcome ? freshMs : retryMs)
    if ('value' in outcome || last === undefined || 'error' in last) last = outcome
    loading = undefined
    return outcome
  }

  return async () => {
    if (now() >= loadAgainAt) loading ??= reload()
    if (last !== undefined && 'value' in last) return last.value
    const outcome = loading === undefined ? last : await loading
    if (outcome === undefined || 'error' in outcome) throw outcome?.error
    return outcome.value
  }
}
