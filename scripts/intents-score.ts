/**
 * Scores the intent classifier on labelled prompts.
 *
 *   npm run intents:score                                  the test split of the corpus
 *   npm run intents:score -- --file F [--split NAME] [--errors]
 *
 * F has one JSON object a line: { "prompt", "intent" }. Without --split all of its lines count. --errors lists the
 * prompts that were answered wrongly (do not use it on the test split while tuning).
 */

import { parseArgs } from 'node:util'
import { classifyIntent, type Classification } from '../src/modules/workflow/classify.ts'
import { INTENT_IDS } from '../src/modules/workflow/intent.ts'
import { calibrationError, calibrationTable, CORPUS_FILE, readCorpus, type Answer } from './intents-corpus.ts'

const { values: options } = parseArgs({
  options: { file: { type: 'string' }, split: { type: 'string' }, errors: { type: 'boolean', default: false } },
})
const split = options.split ?? (options.file === undefined ? 'test' : undefined)
const prompts = readCorpus(options.file ?? CORPUS_FILE).filter((line) => split === undefined || line.split === split)
if (prompts.length === 0) throw new Error('no prompts to score')

// A server answers warm: let the compiler finish before the clock starts.
for (let round = 0; round < 5; round++) for (const { prompt } of prompts) classifyIntent(prompt)
const timesMs: number[] = []
const answers: Answer[] = prompts.map(({ prompt, intent }) => {
  const start = performance.now()
  const given: Classification = classifyIntent(prompt)
  timesMs.push(performance.now() - start)
  return { prompt, intent, given }
})

const right = answers.filter(({ intent, given }) => given.intentId === intent).length
const percent = (part: number, whole: number): string => (whole === 0 ? '–' : `${((100 * part) / whole).toFixed(1)} %`)
console.log(`prompts ${answers.length}   accuracy ${percent(right, answers.length)}\n`)

const cell = (text: string | number, width = 10): string => String(text).padStart(width)
console.log('confusion (rows: label, columns: answer)')
console.log(cell('') + INTENT_IDS.map((id) => cell(id)).join('') + cell('recall') + cell('precision', 11))
for (const label of INTENT_IDS) {
  const row = answers.filter(({ intent }) => intent === label)
  const hits = row.filter(({ given }) => given.intentId === label).length
  const claimed = answers.filter(({ given }) => given.intentId === label).length
  const counts = INTENT_IDS.map((id) => cell(row.filter(({ given }) => given.intentId === id).length || '·'))
  console.log(cell(label) + counts.join('') + cell(percent(hits, row.length)) + cell(percent(hits, claimed), 11))
}

console.log('\ncalibration')
console.log(`${cell('confidence', 12)}${cell('prompts')}${cell('mean')}${cell('right')}`)
for (const { from, to, count, meanConfidence, accuracy } of calibrationTable(answers)) {
  console.log(
    cell(`${from.toFixed(1)}–${to.toFixed(1)}`, 12) +
      cell(count) +
      cell(meanConfidence.toFixed(2)) +
      cell(accuracy.toFixed(2)),
  )
}
console.log(`expected calibration error ${calibrationError(answers).toFixed(3)}`)

timesMs.sort((a, b) => a - b)
const quantile = (q: number): string =>
  (timesMs[Math.min(timesMs.length - 1, Math.floor(q * timesMs.length))] ?? 0).toFixed(3)
console.log(`\ntime per prompt: median ${quantile(0.5)} ms, p99 ${quantile(0.99)} ms`)

if (options.errors) {
  console.log('\nwrong answers')
  for (const { prompt, intent, given } of answers) {
    if (given.intentId !== intent)
      console.log(
        `${intent} -> ${given.intentId} ${given.confidence}  ${JSON.stringify(prompt.slice(0, 160))}  ${given.reasons.join(', ')}`,
      )
  }
}
