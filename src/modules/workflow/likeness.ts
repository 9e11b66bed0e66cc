/**
 * What words are alike: clusters of common English words by meaning (`scripts/intents-clusters.ts`), so that a word which
 * the corpus never showed still says something. Two grains, because a fine cluster says more and a coarse one is met more
 * often. A cluster goes by its most frequent word.
 */

import clusters from './word-clusters.json' with { type: 'json' }

const named = (lists: readonly string[]): Map<string, string> =>
  new Map(
    lists.flatMap((list) => {
      const members = list.split(' ')
      return members.map((word) => [word, members[0] ?? word] as const)
    }),
  )

const FINE: ReadonlyMap<string, string> = named(clusters.fine)
const COARSE: ReadonlyMap<string, string> = named(clusters.coarse)

/** Adds the clusters of a word to the features, if it is a common one. */
export function addLikeness(word: string, features: Set<string>): void {
  const fine = FINE.get(word)
  if (fine === undefined) return
  features.add(`like:${fine}`)
  features.add(`near:${COARSE.get(word) ?? ''}`)
}
