/**
 * What a prompt asks for, decided locally: named grammatical features (`cues.ts`), weighed by a linear model whose
 * weights are fitted offline on the labelled corpus (`scripts/intents-fit.ts` → `weights.json`). Pure and deterministic;
 * `docs/intents.md` has the labelling guide, the method and the current scores.
 */

import { featuresOf } from './cues.ts'
import { INTENT_IDS, type IntentId } from './intent.ts'
import model from './weights.json' with { type: 'json' }

export interface Scored {
  readonly intentId: IntentId
  /** 0–1, two decimals: of the answers given with 0.9, about nine in ten are right. */
  readonly confidence: number
}

export interface Classification extends Scored {
  /** Best first, at most {@link MAX_ALTERNATIVES}, none below {@link MIN_ALTERNATIVE}. */
  readonly alternatives: readonly Scored[]
  /** The features that decided, strongest first; made of lexicon words only, never of raw text. */
  readonly reasons: readonly string[]
}

export const MAX_ALTERNATIVES = 3
export const MIN_ALTERNATIVE = 0.05
const MAX_REASONS = 5

/** Prompts that say nothing at all are looked at, not acted on; nothing is known, and the confidence says so. */
const EMPTY_CONFIDENCE = 0.3

const FEATURES: ReadonlyMap<string, readonly number[]> = new Map(Object.entries(model.features))

const rounded = (value: number): number => Math.round(value * 100) / 100

/**
 * Classifies a prompt by all it says, not by the first matching word.
 *
 * Linear in the length of the prompt up to 5,000 characters; beyond that only its head and tail are read.
 *
 * @param prompt any string, also empty or malformed
 * @returns the most probable intent, its calibrated confidence, the runners-up, and what decided
 */
export function classifyIntent(prompt: string): Classification {
  const features = featuresOf(prompt)
  if (features.has('is:empty')) {
    return { intentId: 'observe', confidence: EMPTY_CONFIDENCE, alternatives: [], reasons: ['is:empty'] }
  }
  const scores = [...model.bias]
  const known: (readonly [name: string, row: readonly number[]])[] = []
  for (const name of features) {
    const row = FEATURES.get(name)
    if (row === undefined) continue
    known.push([name, row])
    for (const [at, weight] of row.entries()) scores[at] = (scores[at] ?? 0) + weight
  }
  const ranked = probabilities(scores)
  const best = ranked[0] ?? { intentId: 'observe', confidence: EMPTY_CONFIDENCE }
  return {
    intentId: best.intentId,
    confidence: rounded(best.confidence),
    alternatives: ranked
      .slice(1, 1 + MAX_ALTERNATIVES)
      .filter(({ confidence }) => confidence >= MIN_ALTERNATIVE)
      .map(({ intentId, confidence }) => ({ intentId, confidence: rounded(confidence) })),
    reasons: reasonsFor(INTENT_IDS.indexOf(best.intentId), known),
  }
}

/** Softmax of scores in hundredths, best first. */
function probabilities(scores: readonly number[]): Scored[] {
  const top = Math.max(...scores)
  const powers = scores.map((score) => Math.exp((score - top) / 100))
  const sum = powers.reduce((total, power) => total + power, 0)
  return INTENT_IDS.map((intentId, at) => ({ intentId, confidence: (powers[at] ?? 0) / sum })).sort(
    (a, b) => b.confidence - a.confidence,
  )
}

/** Families whose names mean nothing to a reader: runs of word classes, lengths, and the absence of others. */
const SILENT = /^(?:seq|is:length|who:nobody|pair|kind|topic)/

/** The features that lift an intent most over the mean of all intents. */
function reasonsFor(column: number, known: readonly (readonly [string, readonly number[]])[]): string[] {
  return known
    .map(([name, row]) => [name, (row[column] ?? 0) - row.reduce((a, b) => a + b, 0) / row.length] as const)
    .filter(([name, lift]) => lift > 0 && !SILENT.test(name))
    .sort((a, b) => b[1] - a[1])
    .slice(0, MAX_REASONS)
    .map(([name]) => name)
}
