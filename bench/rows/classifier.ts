import { readFileSync } from 'node:fs'
import { classifyIntent } from '../../src/modules/workflow/classify.ts'
import { per, type Family } from '../support/row.ts'
import { alternate, compare, median, quantile } from '../support/statistics.ts'

const CORPUS = new URL('../../test/fixtures/intents.jsonl', import.meta.url)

/** The labelled prompts of the tests, one after the other, in this process. */
export const classifier: Family = {
  name: 'classifier',
  what: 'Classifying an intent',
  async run(bench) {
    const prompts = readFileSync(CORPUS, 'utf8')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { prompt: string }).prompt)
    const some = bench.scale.quick ? prompts.slice(0, 200) : prompts
    const timesOf = (work: (prompt: string) => unknown) => async () =>
      some.map((prompt) => {
        const started = performance.now()
        work(prompt)
        return (performance.now() - started) * 1_000
      })
    const measured = await alternate(bench.scale.repeats, {
      subject: timesOf(classifyIntent),
      reference: timesOf((prompt) => JSON.parse(JSON.stringify({ prompt }))),
    })
    const mean = (times: readonly number[]) => times.reduce((sum, us) => sum + us, 0) / times.length
    const row = {
      what: `a prompt (${some.length} of the corpus)`,
      subject: `mean ${per(median(measured.subject.map(mean)), 'µs')}, p99 ${per(median(measured.subject.map((t) => quantile(t, 0.99))), 'µs')}`,
      reference: `the prompt to JSON and back: mean ${per(median(measured.reference.map(mean)), 'µs')}`,
      ratio: compare(measured, mean, mean),
      goal: null,
      notes: ['once for each task of an agent; a call of a model for the same takes a second'],
    }
    return { rows: [row] }
  },
}
