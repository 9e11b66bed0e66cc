/** The middle value, the mean of the middle two. NaN for none. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** By linear interpolation between the values around it. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (sorted.length - 1) * q
  const [low, high] = [sorted[Math.floor(at)] ?? NaN, sorted[Math.ceil(at)] ?? NaN]
  return low + (high - low) * (at - Math.floor(at))
}

/** What repeats of one comparison came to. */
export interface Compared<Subject, Reference> {
  readonly subject: readonly Subject[]
  readonly reference: readonly Reference[]
}

/**
 * Measures subject and reference in turn, beginning with the other one each time, so that whatever else the machine does
 * meets both. One more time before that, to warm up.
 */
export async function alternate<Subject, Reference>(
  repeats: number,
  measure: { subject: () => Promise<Subject>; reference: () => Promise<Reference> },
): Promise<Compared<Subject, Reference>> {
  const [subject, reference]: [Subject[], Reference[]] = [[], []]
  for (let repeat = 0; repeat <= repeats; repeat += 1) {
    const inTurn = [
      async () => subject.push(await measure.subject()),
      async () => reference.push(await measure.reference()),
    ]
    for (const one of repeat % 2 === 0 ? inTurn : inTurn.toReversed()) await one()
  }
  return { subject: subject.slice(1), reference: reference.slice(1) }
}

/** The median of the repeats' ratios, with the least and the greatest of them. */
export interface Ratio {
  readonly median: number
  readonly min: number
  readonly max: number
}

export function ratioOf(pairs: readonly (readonly [number, number])[]): Ratio {
  const ratios = pairs.map(([above, below]) => above / below)
  return { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) }
}

/** The ratios of what `of` says of subject and reference, repeat by repeat. */
export function compare<S, R>(
  { subject, reference }: Compared<S, R>,
  ofSubject: (measured: S) => number,
  ofReference: (measured: R) => number,
): Ratio {
  return ratioOf(subject.map((one, index) => [ofSubject(one), ofReference(reference[index] as R)] as const))
}
