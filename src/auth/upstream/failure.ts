/** Reading what fetch, jose and openid-client throw. */

/** The thrown thing and everything that it says caused it, outermost first. */
function* causes(thrown: unknown): Generator<object> {
  for (let at = thrown; typeof at === 'object' && at !== null; at = 'cause' in at ? at.cause : undefined) yield at
}

/** Did the other side not answer, or say itself that it cannot now? */
export function isOutOfReach(thrown: unknown): boolean {
  return [...causes(thrown)].some(
    (at) =>
      (at instanceof TypeError && at.message === 'fetch failed') ||
      (at instanceof Error && /^(Timeout|Abort)Error$/.test(at.name)) ||
      ('status' in at && typeof at.status === 'number' && at.status >= 500),
  )
}

/**
 * What may be logged of a failure: names, codes and messages, all the libraries' own. Never the error itself: it holds
 * answers of upstreams, and so tokens.
 */
export function factsOf(thrown: unknown): Readonly<Record<string, unknown>> {
  const errors = [...causes(thrown)].filter((at) => at instanceof Error)
  const codes = errors.flatMap((at) => ('code' in at && typeof at.code === 'string' ? [at.code] : []))
  const answered = errors.flatMap((at) => ('error' in at && typeof at.error === 'string' ? [clipped(at.error)] : []))
  return { why: errors.map(({ message }) => clipped(message)), codes, ...(answered.length > 0 && { answered }) }
}

function clipped(text: string): string {
  return text.slice(0, 200)
}
