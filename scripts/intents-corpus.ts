import { readFileSync } from 'node:fs'
import type { Classification } from '../src/modules/workflow/classify.ts'
import { z } from 'zod'
import { INTENT_IDS, type IntentId } from '../src/modules/workflow/intent.ts'

const labelledPrompt = z.object({ prompt: z.string(), intent: z.enum(INTENT_IDS), split: z.string().optional() })

/** One labelled prompt of `test/fixtures/intents.jsonl`; fields beyond these are ignored. */
export type LabelledPrompt = z.infer<typeof labelledPrompt>

export const CORPUS_FILE = new URL('../test/fixtures/intents.jsonl', import.meta.url)

/**
 * Reads labelled prompts, one JSON object a line; empty lines are skipped.
 *
 * @throws Error naming the line that is not `{ "prompt": string, "intent": IntentId }`
 */
export function readCorpus(file: string | URL): LabelledPrompt[] {
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.flatMap((line, index) => {
    if (line.trim() === '') return []
    const value: unknown = JSON.parse(line)
    const read = labelledPrompt.safeParse(value)
    if (!read.success) throw new Error(`line ${index + 1}: ${read.error.message}`)
    return [read.data]
  })
}

/** A labelled prompt and what the classifier said. */
export interface Answer {
  readonly prompt: string
  readonly intent: IntentId
  readonly given: Classification
}

export interface CalibrationBin {
  readonly from: number
  readonly to: number
  readonly count: number
  readonly meanConfidence: number
  readonly accuracy: number
}

/** Answers by confidence in ten equal bins, the empty ones left out. */
export function calibrationTable(answers: readonly Answer[]): CalibrationBin[] {
  return Array.from({ length: 10 }, (_, bin) => {
    const inside = answers.filter(({ given }) => Math.min(9, Math.floor(given.confidence * 10)) === bin)
    const mean = (value: (answer: Answer) => number): number =>
      inside.reduce((sum, a) => sum + value(a), 0) / inside.length
    return {
      from: bin / 10,
      to: (bin + 1) / 10,
      count: inside.length,
      meanConfidence: mean(({ given }) => given.confidence),
      accuracy: mean(({ given, intent }) => (given.intentId === intent ? 1 : 0)),
    }
  }).filter(({ count }) => count > 0)
}

/** Expected calibration error: the mean distance of confidence from accuracy over the bins, weighed by their size. */
export function calibrationError(answers: readonly Answer[]): number {
  const gaps = calibrationTable(answers).map(
    ({ count, meanConfidence, accuracy }) => count * Math.abs(meanConfidence - accuracy),
  )
  return gaps.reduce((a, b) => a + b, 0) / answers.length
}
