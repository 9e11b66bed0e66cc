/**
 * Fits the intent classifier: multinomial logistic regression with L2 over the named features, on the train split only,
 * and a temperature from cross-validation. Deterministic: full batches, no random numbers.
 *
 *   npm run intents:fit            cross-validate, fit, write src/modules/workflow/weights.json
 *   npm run intents:fit -- --dry   cross-validate and list the errors of the train split, write nothing
 */

import { writeFileSync } from 'node:fs'
import { featuresOf } from '../src/modules/workflow/cues.ts'
import { INTENT_IDS } from '../src/modules/workflow/intent.ts'
import { CORPUS_FILE, readCorpus, type LabelledPrompt } from './intents-corpus.ts'

const CLASSES = INTENT_IDS.length
const FOLDS = 5
/** The corpus was written in runs of similar prompts; a run stays in one fold, or the estimate would flatter. */
const RUN_LENGTH = 10
/** Features seen less often are not learned. */
const MIN_COUNT = 3
/** Features whose weights all stay below this, in hundredths, are left out of the file. */
const MIN_WEIGHT = 8
const L2 = 1
const ITERATIONS = 200

interface Example {
  readonly prompt: LabelledPrompt
  readonly label: number
  readonly features: readonly string[]
}

interface Model {
  readonly index: ReadonlyMap<string, number>
  /** One row of CLASSES weights per feature; the last row is the bias. */
  readonly weights: Float64Array
}

/**
 * How far a family of features is trusted beforehand; the values are the best of a few that were cross-validated. Which
 * act follows which says most where a prompt asks for several things; runs of word classes are many and overlap.
 */
const TRUST: ReadonlyMap<string, number> = new Map([
  ['acts', 2],
  ['act', 1.5],
  ['seq', 0.5],
])
const weightOf = (feature: string): number => TRUST.get(feature.slice(0, feature.indexOf(':'))) ?? 1

/** Adam on the full batch: the loss is convex, so every run ends in the same place. */
function fit(examples: readonly Example[]): Model {
  const counts = new Map<string, number>()
  for (const { features } of examples) for (const f of features) counts.set(f, (counts.get(f) ?? 0) + 1)
  const index = new Map([...counts].filter(([, n]) => n >= MIN_COUNT).map(([f], row) => [f, row]))
  const bias = index.size
  const size = (bias + 1) * CLASSES
  const weights = new Float64Array(size)
  const first = new Float64Array(size)
  const second = new Float64Array(size)
  const gradient = new Float64Array(size)
  const rows = examples.map(({ features }) => rowsOf(features, index))
  const scored = new Float64Array(CLASSES)
  for (let step = 1; step <= ITERATIONS; step++) {
    for (let i = 0; i < size; i++) gradient[i] = i < bias * CLASSES ? L2 * (weights[i] ?? 0) : 0
    for (const [n, { at, trust }] of rows.entries()) {
      addScores(weights, at, trust, scored)
      toProbabilities(scored)
      const label = examples[n]?.label ?? 0
      scored[label] = (scored[label] ?? 0) - 1
      for (let k = 0; k < at.length; k++) {
        const row = at[k] ?? 0
        const t = trust[k] ?? 0
        for (let c = 0; c < CLASSES; c++) gradient[row + c] = (gradient[row + c] ?? 0) + t * (scored[c] ?? 0)
      }
    }
    const rate = ((0.1 * Math.sqrt(1 - 0.999 ** step)) / (1 - 0.9 ** step)) * (1 - (0.9 * step) / ITERATIONS)
    for (let i = 0; i < size; i++) {
      const g = gradient[i] ?? 0
      const m = 0.9 * (first[i] ?? 0) + 0.1 * g
      const v = 0.999 * (second[i] ?? 0) + 0.001 * g * g
      first[i] = m
      second[i] = v
      weights[i] = (weights[i] ?? 0) - (rate * m) / (Math.sqrt(v) + 1e-8)
    }
  }
  return { index, weights }
}

/** Where the rows of an example's features (and the bias) start in the weights, and how far each is trusted. */
function rowsOf(
  features: readonly string[],
  index: ReadonlyMap<string, number>,
): { readonly at: Int32Array; readonly trust: Float64Array } {
  const known = features.flatMap((name) => {
    const row = index.get(name)
    return row === undefined ? [] : [{ row, trust: weightOf(name) }]
  })
  return {
    at: Int32Array.from([...known.map(({ row }) => row * CLASSES), index.size * CLASSES]),
    trust: Float64Array.from([...known.map(({ trust }) => trust), 1]),
  }
}

function addScores(weights: Float64Array, at: Int32Array, trust: Float64Array, out: Float64Array): void {
  out.fill(0)
  for (let k = 0; k < at.length; k++) {
    const row = at[k] ?? 0
    const t = trust[k] ?? 0
    for (let c = 0; c < CLASSES; c++) out[c] = (out[c] ?? 0) + t * (weights[row + c] ?? 0)
  }
}

/** Softmax in place. */
function toProbabilities(values: Float64Array, temperature = 1): void {
  const top = values.reduce((a, b) => Math.max(a, b), -Infinity)
  let sum = 0
  for (let c = 0; c < CLASSES; c++) {
    const power = Math.exp(((values[c] ?? 0) - top) / temperature)
    values[c] = power
    sum += power
  }
  for (let c = 0; c < CLASSES; c++) values[c] = (values[c] ?? 0) / sum
}

const argmax = (values: readonly number[]): number => values.indexOf(Math.max(...values))

/** The scores that each example gets from a model which never saw its fold. */
function heldOutScores(examples: readonly Example[]): number[][] {
  const out: number[][] = []
  const foldOf = (i: number): number => Math.floor(i / RUN_LENGTH) % FOLDS
  for (let fold = 0; fold < FOLDS; fold++) {
    const model = fit(examples.filter((_, i) => foldOf(i) !== fold))
    for (const [i, example] of examples.entries()) {
      if (foldOf(i) !== fold) continue
      const { at, trust } = rowsOf(example.features, model.index)
      const scored = new Float64Array(CLASSES)
      addScores(model.weights, at, trust, scored)
      out[i] = [...scored]
    }
  }
  return out
}

function softmax(values: readonly number[], temperature: number): readonly number[] {
  const out = Float64Array.from(values)
  toProbabilities(out, temperature)
  return [...out]
}

function negativeLogLikelihood(examples: readonly Example[], held: readonly number[][], temperature: number): number {
  const losses = examples.map(({ label }, i) => -Math.log(softmax(held[i] ?? [], temperature)[label] ?? 1e-12))
  return losses.reduce((a, b) => a + b, 0) / examples.length
}

const examples = readCorpus(CORPUS_FILE)
  .filter(({ split }) => split === 'train')
  .map((prompt) => ({ prompt, label: INTENT_IDS.indexOf(prompt.intent), features: [...featuresOf(prompt.prompt)] }))
const held = heldOutScores(examples)
const temperatures = Array.from({ length: 40 }, (_, i) => 0.3 + i * 0.05)
const losses = temperatures.map((t) => negativeLogLikelihood(examples, held, t))
const temperature = temperatures[losses.indexOf(Math.min(...losses))] ?? 1
const wrong = examples.filter(({ label }, i) => argmax(held[i] ?? []) !== label)
if (process.argv.includes('--dry')) {
  for (const [i, { prompt, label }] of examples.entries()) {
    const p = softmax(held[i] ?? [], temperature)
    const guess = argmax(p)
    if (guess !== label)
      console.log(
        `${prompt.intent} -> ${INTENT_IDS[guess]} ${p[guess]?.toFixed(2)}  ${JSON.stringify(prompt.prompt.slice(0, 140))}`,
      )
  }
}
console.log(
  `cross-validated accuracy ${(1 - wrong.length / examples.length).toFixed(4)} on ${examples.length}, ` +
    `temperature ${temperature.toFixed(2)}, log loss ${Math.min(...losses).toFixed(4)}`,
)
if (!process.argv.includes('--dry')) {
  const model = fit(examples)
  const rowOf = (row: number, scale: number): number[] =>
    Array.from({ length: CLASSES }, (_, c) =>
      Math.round((100 * scale * (model.weights[row * CLASSES + c] ?? 0)) / temperature),
    )
  // Weights are stored in hundredths, already divided by the temperature.
  const features = [...model.index]
    .map(([name, row]) => [name, rowOf(row, weightOf(name))] as const)
    .filter(([, row]) => Math.max(...row.map(Math.abs)) >= MIN_WEIGHT)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  const lines = features.map(([name, row]) => `    ${JSON.stringify(name)}: [${row.join(', ')}]`)
  writeFileSync(
    new URL('../src/modules/workflow/weights.json', import.meta.url),
    `{\n  "bias": [${rowOf(model.index.size, 1).join(', ')}],\n  "features": {\n${lines.join(',\n')}\n  }\n}\n`,
  )
  console.log(`${features.length} features written`)
}
