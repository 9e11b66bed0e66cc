import { assert, property, string } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { calibrationError, CORPUS_FILE, readCorpus } from '../../../scripts/intents-corpus.ts'
import { classifyIntent, MAX_ALTERNATIVES, MIN_ALTERNATIVE } from '../../../src/modules/workflow/classify.ts'
import { INTENT_IDS, INTENTS, type IntentId } from '../../../src/modules/workflow/intent.ts'
import { wordsOf } from '../../../src/modules/workflow/phrases.ts'

const corpus = readCorpus(CORPUS_FILE)
const scored = corpus.filter(({ split }) => split === 'test')
const trained = corpus.filter(({ split }) => split === 'train')
const answers = scored.map((line) => ({ ...line, given: classifyIntent(line.prompt) }))
const intentOf = (prompt: string): IntentId => classifyIntent(prompt).intentId

describe('intents', () => {
  it('are editable exactly where the contract allows claims', () => {
    expect(INTENT_IDS.filter((id) => INTENTS[id].editable)).toEqual(['implement', 'assist', 'takeover'])
    expect(Object.keys(INTENTS)).toEqual([...INTENT_IDS])
  })
})

describe('the corpus', () => {
  it('has at least 600 prompts, and every intent at least 60 to learn from and 20 to be scored on', () => {
    expect(corpus.length).toBeGreaterThanOrEqual(600)
    expect(scored.length + trained.length).toBe(corpus.length)
    for (const id of INTENT_IDS) {
      expect(trained.filter(({ intent }) => intent === id).length).toBeGreaterThanOrEqual(60)
      expect(scored.filter(({ intent }) => intent === id).length).toBeGreaterThanOrEqual(20)
    }
  })

  it('shares no prompt between its splits, also after typos are mended and names folded', () => {
    const key = (prompt: string): string =>
      wordsOf(prompt)
        .map(({ lemma }) => lemma)
        .filter((lemma) => /[\p{L}\p{N}]/u.test(lemma))
        .join(' ')
    const seen = new Map(trained.map(({ prompt }) => [key(prompt), prompt]))
    expect(scored.filter(({ prompt }) => seen.has(key(prompt))).map(({ prompt }) => prompt)).toEqual([])
  })

  it('has no prompt twice', () => {
    expect(new Set(corpus.map(({ prompt }) => prompt)).size).toBe(corpus.length)
  })
})

describe('classifyIntent', () => {
  it('is right on at least 95 % of the prompts that nothing was tuned on', () => {
    const right = answers.filter(({ given, intent }) => given.intentId === intent).length
    expect(right / answers.length).toBeGreaterThanOrEqual(0.95)
  })

  it('means what its confidence says', () => {
    expect(calibrationError(answers)).toBeLessThan(0.07)
    const sure = answers.filter(({ given }) => given.confidence >= 0.9)
    expect(sure.length).toBeGreaterThan(answers.length / 2)
    expect(sure.filter(({ given, intent }) => given.intentId === intent).length / sure.length).toBeGreaterThanOrEqual(
      0.9,
    )
  })

  it.each<[string, IntentId]>([
    ['add a status field', 'implement'],
    ['fix the progress bar', 'implement'],
    ['implement the review page', 'implement'],
    ['plan page is broken, fix it', 'implement'],
    ['make the handoff button blue', 'implement'],
    ['can you fix the login?', 'implement'],
    ['review the parser, then fix what you find', 'implement'],
    ["don't change anything, just tell me why the build fails", 'observe'],
    ['who is working on what?', 'observe'],
    ['make a plan for the migration, no code yet', 'plan'],
    ['review PR #7', 'review'],
    ['help codex-2 with the migration', 'assist'],
    ['take over from claude-1, it crashed', 'takeover'],
    ['have codex-1 write the tests', 'delegate'],
    ['wrap up and hand this over to alice', 'handoff'],
  ])('reads the sentence as a whole: %s → %s', (prompt, intent) => {
    expect(intentOf(prompt)).toBe(intent)
  })

  it('never lets a prompt that says nothing look like a command', () => {
    const empty = ['', ' ', '\n\n', '?', '...', '👍', 'hi', 'hello there', 'thanks!']
    expect(empty.filter((prompt) => intentOf(prompt) !== 'observe')).toEqual([])
    expect(classifyIntent('').confidence).toBeLessThan(0.5)
  })

  it('ignores what pasted code and quotations say', () => {
    expect(intentOf('explain this\n```\n// TODO: fix, refactor and delete everything\n```')).toBe('observe')
  })

  it('reads the end of a long prompt as well as its start', () => {
    const paste = `${'lorem ipsum dolor sit amet\n'.repeat(2000)}\nreview this diff please, do not change anything`
    expect(intentOf(paste)).toBe('review')
  })

  it('reports alternatives best first, below its own answer, few and meaningful', () => {
    for (const { given } of answers) {
      const confidences = [given.confidence, ...given.alternatives.map(({ confidence }) => confidence)]
      expect(confidences).toEqual(confidences.toSorted((a, b) => b - a))
      expect(given.alternatives.length).toBeLessThanOrEqual(MAX_ALTERNATIVES)
      expect(Math.min(1, ...confidences.slice(1))).toBeGreaterThanOrEqual(MIN_ALTERNATIVE)
      expect(given.alternatives.map(({ intentId }) => intentId)).not.toContain(given.intentId)
    }
  })

  it('gives reasons, and never quotes what only the prompt says', () => {
    const { reasons } = classifyIntent('please fix the zxqvbnm in hunter2secret')
    expect(reasons.length).toBeGreaterThan(0)
    expect(reasons.join(' ')).not.toMatch(/zxqvbnm|hunter2/)
  })

  it('mends common slips', () => {
    expect(intentOf('reveiw my pull request')).toBe('review')
    expect(intentOf('refacotr the parser')).toBe('implement')
    expect(intentOf('delgate the tests to codex')).toBe('delegate')
  })

  it('is total and deterministic on any string', () => {
    assert(
      property(string({ unit: 'binary', maxLength: 300 }), (prompt) => {
        const once = classifyIntent(prompt)
        expect(classifyIntent(prompt)).toEqual(once)
        expect(INTENT_IDS).toContain(once.intentId)
        expect(once.confidence).toBeGreaterThanOrEqual(0)
        expect(once.confidence).toBeLessThanOrEqual(1)
      }),
    )
  })

  it.each([
    ['__proto__ constructor toString hasOwnProperty valueOf'],
    ['__proto__'],
    ['constructor'],
    ['\u0000\u0000fix\u0000'],
    ['\ud800 fix the bug \udfff'],
    ['a'.repeat(100_000)],
    ['fix it, '.repeat(20_000)],
    ['`"\'“«'.repeat(20_000)],
    ['codex and '.repeat(10_000)],
    ['hand '.repeat(20_000)],
    ['\n'.repeat(100_000)],
    ['接手'.repeat(20_000)],
  ])('survives hostile input (%#)', (prompt) => {
    const { intentId, confidence } = classifyIntent(prompt)
    expect(INTENT_IDS).toContain(intentId)
    expect(Number.isFinite(confidence)).toBe(true)
  })
})
