/**
 * The features of a prompt: short, named, countable facts about its grammar. The linear model in `classify.ts` weighs
 * them; the names are what `reasons` are made of.
 *
 * A feature is `family:detail`. Families: `act` what a clause asks for (with `first`, `last` and pairs over the prompt),
 * `no` what is forbidden, `ask` question form, `who` the role that another agent or person plays, `end` the speaker
 * leaves, `bug` a fault is reported, `is` shape, `head` the words that open the first real clause, `word` and `seq`
 * words and runs of word classes.
 */

import {
  actOf,
  clausesOf,
  endsPhrase,
  FUNCTION,
  headOf,
  NEGATIONS,
  NOUN_CLASS,
  PRONOUN_SUBJECT,
  setOf,
  type Clause,
  type Head,
} from './clauses.ts'
import { AUXILIARIES, EDITING_WHEN_NEGATED, FAULTS, FILLERS, JUDGEMENTS, STATES } from './lexicon.ts'
import { addLikeness } from './likeness.ts'
import { isBoundary, PARTY, wordsOf, type Word } from './phrases.ts'

const STUCK: ReadonlySet<string> = new Set(STATES.stuck)
const GONE: ReadonlySet<string> = new Set([...STATES.gone, 'ran_out'])
const EVERYTHING = setOf(
  'anything any nothing it yet code files file edits changes them stuff that this implementation implementing edit change thing',
)
const EDITING_ACTS = setOf('edit edit+party debug')
const COMMANDING = setOf('command request wish')
const BLAND = setOf('the a an and on in of to for is are this that it as by at <party> some all with')
const LEAVING = setOf('done_today log_off leave leaving finished vacation afk bye')

/**
 * All features of a prompt, each once.
 *
 * @param prompt any string; only its head and tail are read (see `prompt-text.ts`)
 */
export function featuresOf(prompt: string): Set<string> {
  const features = new Set<string>()
  const words = withoutAddressee(wordsOf(prompt), features)
  const clauses = clausesOf(words)
  const acts: string[] = []
  const topics = new Set<Word>()
  const asked = new Set<Word>()
  let opened = false
  for (const clause of clauses) {
    const head = headOf(clause)
    const act = head.at >= 0 ? actOf(clause.words, head.at) : 'none'
    clauseFeatures(clause, head, act, features)
    if (head.kind === 'question') for (const word of clause.words) asked.add(word)
    if (EDITING_ACTS.has(act) && COMMANDING.has(head.kind))
      for (const word of clause.words.slice(head.at + 1)) topics.add(word)
    const counts = head.kind !== 'negated' && !clause.subordinate && act !== 'none' && head.kind !== 'question'
    if (counts) acts.push(act)
    if (head.kind === 'question') acts.push('question')
    if (!opened && !(head.kind === 'fragment' && clause.words.every((word) => FILLERS.has(word.text)))) {
      opened = true
      openingFeatures(clause, head, features)
    }
  }
  actFeatures(acts, features)
  partyFeatures(words, topics, features)
  ownWorkFeatures(words, features)
  wordFeatures(words, topics, asked, features)
  shapeFeatures(words, clauses, features)
  faultFeatures(words, acts, features)
  if (acts.length === 0) features.add(features.has('ask:mark') ? 'act:none?' : 'act:none')
  return features
}

/** "claude, …", "@codex fix …", "hey cursor pls …" speak to the reader, who is then nobody else. */
function withoutAddressee(words: readonly Word[], features: Set<string>): readonly Word[] {
  let at = 0
  while (at < words.length && (FILLERS.has(words[at]?.text ?? '') || words[at]?.text === ',')) at++
  const next = words[at + 1]
  if (words[at]?.text !== PARTY || next === undefined) return words
  const after = words[at + 2]
  const comma = (next.text === ',' || next.text === ':') && after?.text !== PARTY && after?.text !== 'and'
  const command =
    FILLERS.has(next.text) || (next.verb !== undefined && next.form === 'base' && next.text === next.lemma)
  const request = ['can', 'could', 'would', 'will'].includes(next.text) && after?.text === 'you'
  if (!comma && !command && !request) return words
  features.add('who:addressed')
  return words.slice(comma ? at + 2 : at + 1)
}

function clauseFeatures(clause: Clause, head: Head, act: string, features: Set<string>): void {
  const side = clause.subordinate ? 'sub-' : ''
  if (head.kind === 'question') {
    const opener = clause.words.find((word) => !FILLERS.has(word.text))
    features.add(`ask:${side}${opener?.text ?? ''}`)
    features.add(`ask:${side}any`)
    askFeatures(clause.words, side, features)
  }
  if (head.kind === 'negated') {
    const verb = clause.words[head.at]
    if (verb !== undefined && EDITING_WHEN_NEGATED.has(verb.lemma)) {
      const object = clause.words[head.at + 1]?.text
      const total = object === undefined || EVERYTHING.has(object)
      features.add(total ? 'no:edit-all' : 'no:edit-some')
    } else features.add(`no:${act}`)
  } else if (act !== 'none') features.add(`kind:${side}${head.kind}+${act}`)
  if (clause.end === '?') features.add(`ask:mark+${head.kind}+${act}`)
  for (const [at, word] of clause.words.entries()) {
    if (at > 0 && NEGATIONS.has(word.text) && head.kind !== 'negated') negationInside(clause.words, at, features)
  }
}

/** "how would you …", "is this …": the opener, its auxiliary, who is meant, and the verb that follows. */
function askFeatures(words: readonly Word[], side: string, features: Set<string>): void {
  const start = words.findIndex((word) => !FILLERS.has(word.text))
  const opening = words.slice(start, start + 4).map((word) => word.text)
  const auxiliary = opening.find((text, at) => at < 3 && AUXILIARIES.has(text)) ?? ''
  const subject =
    opening.find((text) => PRONOUN_SUBJECT.has(text) || text === PARTY || text === 'this' || text === 'my') ?? 'x'
  const verb = words.slice(start + 1).find((word) => word.form !== undefined && !AUXILIARIES.has(word.text))
  features.add(`ask:${side}${opening[0] ?? ''} ${auxiliary}`)
  features.add(`ask:${side}${opening[0] ?? ''} ${auxiliary} ${subject}`)
  features.add(`ask:${side}${auxiliary} ${subject} ${verb?.verb ?? verb?.lemma ?? ''}`)
  const judged = words.some((word) => JUDGEMENTS.has(word.text))
  const artifact = words.some(
    (word) => NOUN_CLASS.get(word.text) === 'artifact' || NOUN_CLASS.get(word.text) === 'review',
  )
  const passive = words.slice(start + 1, start + 8).some((word) => word.text === 'be')
  if (passive) features.add(`ask:${opening[0] ?? ''} be`)
  if (opening[0] === 'can' || opening[0] === 'could') features.add(`ask:can ${subject} ${passive ? 'be' : ''}`)
  if (judged) features.add('ask:judgement')
  if (judged && artifact) features.add('ask:judgement-of-work')
  if (artifact) features.add('ask:about-work')
  const planned = words.some((word, at) => NOUN_CLASS.get(word.text) === 'plan' && endsPhrase(words, at))
  if (planned) features.add(`ask:about-plan ${opening[0] ?? ''}`)
}

/** "plan only, no code yet", "… but dont fix anything": a negation after the head of its clause. */
function negationInside(words: readonly Word[], at: number, features: Set<string>): void {
  const near = words.slice(at + 1, at + 4)
  const edit = near.findIndex(
    (word) => EDITING_WHEN_NEGATED.has(word.lemma) || word.text === 'code' || word.text === 'changes',
  )
  if (edit < 0) return
  const object = near[edit + 1]?.text
  features.add(object === undefined || EVERYTHING.has(object) ? 'no:edit-all' : 'no:edit-some')
}

function openingFeatures(clause: Clause, head: Head, features: Set<string>): void {
  const start = head.at >= 0 ? head.at : clause.words.findIndex((word) => !FILLERS.has(word.text))
  const opening = clause.words.slice(Math.max(start, 0), Math.max(start, 0) + 3)
  const [first, second, third] = opening
  if (first === undefined) return
  features.add(`head:${first.lemma}`)
  if (second !== undefined) features.add(`head:${first.lemma} ${second.lemma}`)
  if (third !== undefined && second !== undefined) features.add(`head:${first.lemma} ${second.lemma} ${symbol(third)}`)
  features.add(`opens:${head.kind}`)
}

function actFeatures(acts: readonly string[], features: Set<string>): void {
  for (const act of acts) features.add(`act:${act}`)
  const [first] = acts
  const last = acts.at(-1)
  if (first !== undefined) features.add(`first:${first}`)
  if (last !== undefined) features.add(`last:${last}`)
  const editing = acts.includes('edit') || acts.includes('debug') || acts.includes('edit+party')
  if (editing && !features.has('no:edit-all')) features.add('act:edits')
  if (features.has('no:edit-all')) {
    features.add('no:edits')
    for (const act of new Set(acts)) features.add(`no:edits+${act}`)
  }
  for (const [at, act] of acts.slice(0, 4).entries()) {
    const next = acts[at + 1]
    if (next !== undefined && next !== act) features.add(`acts:${act}>${next}`)
  }
}

const isGone = (word: Word): boolean =>
  GONE.has(word.text) || GONE.has(word.lemma) || (word.lemma === 'give_up' && word.form === 'ed')

/** The part that somebody else plays: subject, receiver, source, owner; stuck, gone, or at work. */
function partyFeatures(words: readonly Word[], topics: ReadonlySet<Word>, features: Set<string>): void {
  for (const [at, word] of words.entries()) {
    if (word.text !== PARTY) continue
    if (topics.has(word)) {
      features.add(`who:${word.which ?? 'other'}@`)
      features.add(`who:${words[at - 1]?.lemma ?? ''}_@`)
    }
    const before = words[at - 1]
    const next = words[at + 1]
    features.add(`who:${word.which ?? 'other'}`)
    features.add(`who:${before === undefined || isBoundary(before.text) ? 'opens' : symbol(before)}_`)
    if (next !== undefined) features.add(`who:_${isBoundary(next.text) ? 'closes' : symbol(next)}`)
    if (next?.text === "'s") features.add(`who:owns-${symbol(words[at + 2] ?? next)}`)
    features.add(`who:${before?.lemma ?? 'opens'} ${word.which ?? 'other'}`)
    roleFeatures(words, at, features)
    for (const state of words.slice(at + 1, at + 6)) {
      if (isBoundary(state.text)) break
      if (STUCK.has(state.text)) features.add('who:stuck')
      if (isGone(state)) features.add('who:gone')
      if (state.form === 'ing') features.add('who:busy')
    }
  }
  for (const word of words) {
    if (LEAVING.has(word.lemma)) features.add(`end:${word.lemma}`)
    if (isGone(word)) features.add('state:gone')
    if (STUCK.has(word.text)) features.add('state:stuck')
  }
  if (!words.some((word) => word.text === PARTY)) features.add('who:nobody')
}

const MODALS = setOf('will is should shall must can does do would takes goes going to has')

/** "let codex take over", "codex will continue", "codex should do": what somebody is made, or about, to do. */
function roleFeatures(words: readonly Word[], at: number, features: Set<string>): void {
  const before = words[at - 1]
  let verbAt = at + 1
  while (verbAt < at + 5 && MODALS.has(words[verbAt]?.text ?? '') && words[verbAt]?.verb === undefined) verbAt++
  const verb = words[verbAt]
  if (verb?.form === undefined) return
  const role =
    before?.verb === 'cause' || before?.lemma === 'want'
      ? 'made-to'
      : verbAt > at + 1
        ? `subject-${words[at + 1]?.text ?? ''}`
        : 'subject'
  features.add(`who:${role} ${verb.verb ?? verb.lemma}`)
  features.add(`who:${role.startsWith('subject') ? 'subject' : role} ${verb.verb ?? verb.lemma}-${verb.form}`)
}

const OWN = setOf('your rest remaining current remainder')

/** "the rest of your task", "your claims", "stop": the reader's own work, and its end. */
function ownWorkFeatures(words: readonly Word[], features: Set<string>): void {
  for (const [at, word] of words.entries()) {
    if (OWN.has(word.text)) {
      const noun = words.slice(at + 1, at + 5).find((next) => NOUN_CLASS.has(next.text))
      features.add(`own:${word.text}`)
      if (noun !== undefined) features.add('own:work')
    }
    if (word.lemma === 'stop' || word.lemma === 'end' || word.lemma === 'stop_working') features.add('own:stop')
  }
}

/** A fault reported in a statement, or a wish about behaviour, with no question and no command. */
function faultFeatures(words: readonly Word[], acts: readonly string[], features: Set<string>): void {
  const asked = features.has('ask:mark') || features.has('ask:any')
  if (words.some((word) => FAULTS.has(word.text) || FAULTS.has(word.lemma))) {
    features.add(asked ? 'bug:asked' : acts.length === 0 ? 'bug:reported' : 'bug:told')
  }
  const modal = words.some((word) => word.text === 'should' || word.text === 'must' || word.text === 'needs')
  if (modal && !asked) features.add(acts.length === 0 ? 'bug:should' : 'bug:should+act')
  const judged = words.some((word) => JUDGEMENTS.has(word.text))
  const artifact = words.some(
    (word) => NOUN_CLASS.get(word.text) === 'artifact' || NOUN_CLASS.get(word.text) === 'review',
  )
  const fixture = words.some((word) => NOUN_CLASS.get(word.text) === 'ui')
  if (fixture) features.add(asked ? 'thing:ui+ask' : 'thing:ui')
  for (const act of new Set(acts)) if (fixture) features.add(`thing:ui+${act}`)
  if (words.some((word, at) => word.text === 'i' && words[at + 1]?.form === 'ed')) features.add('tell:i-did')
  if (judged) features.add('judge:word')
  if (judged && artifact) features.add('judge:work')
  if (artifact && words.some((word) => word.text === 'my')) features.add('judge:mine')
}

function symbol(word: Word): string {
  if (word.verb !== undefined && !(word.verb === 'cause' && word.form !== 'base')) {
    return word.verb === 'cause'
      ? word.lemma
      : word.verb.toUpperCase() + (word.form === 'base' || word.form === undefined ? '' : `-${word.form}`)
  }
  if (FUNCTION.has(word.text) || word.text.startsWith('<') || word.text === "'s" || isBoundary(word.text))
    return word.text
  const noun = NOUN_CLASS.get(word.text)
  if (noun !== undefined) return `N${noun}`
  if (JUDGEMENTS.has(word.text)) return 'judge'
  if (GONE.has(word.text)) return 'gone'
  if (STUCK.has(word.text)) return 'stuck'
  return word.form === undefined ? 'x' : word.lemma
}

function wordFeatures(
  words: readonly Word[],
  topics: ReadonlySet<Word>,
  asked: ReadonlySet<Word>,
  features: Set<string>,
): void {
  let one = '^'
  let two = ''
  for (const [at, word] of words.entries()) {
    const modifier = NOUN_CLASS.has(word.text) && !endsPhrase(words, at)
    const sign = modifier ? 'mod' : word.text === '\n' ? '/' : symbol(word)
    if (!isBoundary(word.text)) {
      const about = modifier ? '~mod' : ''
      if (!BLAND.has(word.text)) features.add(`word:${word.lemma}${about}`)
      if (!FUNCTION.has(word.text)) addLikeness(word.text, features)
      const noun = NOUN_CLASS.get(word.text)
      if (noun !== undefined) features.add(`noun:${noun}${about}`)
      if (topics.has(word)) {
        if (noun !== undefined) features.add(`topic:noun-${noun}`)
        if (word.verb !== undefined && word.form !== undefined) features.add(`topic:${word.verb}`)
        else features.add('topic:any')
      }
      if (word.verb !== undefined && word.form !== undefined) {
        const form = word.form === 'ed' || word.form === 's' ? `-${word.form}` : ''
        features.add(`verb:${word.verb}${form}${about}${asked.has(word) ? '?' : ''}`)
      }
      if (word.text === 'you' && ['would', 'should'].includes(words[at + 1]?.text ?? '')) features.add('tell:you-would')
      const next = words[at + 1]
      if (next !== undefined && !isBoundary(next.text)) features.add(`pair:${word.lemma} ${next.lemma}`)
    }
    features.add(`seq:${one} ${sign}`)
    if (two !== '') features.add(`seq:${two} ${one} ${sign}`)
    two = one
    one = sign
  }
  features.add(`seq:${one} $`)
}

function shapeFeatures(words: readonly Word[], clauses: readonly Clause[], features: Set<string>): void {
  const typed = words.filter((word) => !isBoundary(word.text))
  const length = typed.length
  features.add(`is:length-${length <= 1 ? '1' : length <= 3 ? '2' : length <= 8 ? '4' : length <= 20 ? '9' : '21'}`)
  if (clauses.length === 0) features.add('is:empty')
  if (typed.every((word) => FILLERS.has(word.text))) features.add('is:filler')
  if (typed.length > 0 && typed.every((word) => word.text.startsWith('<'))) features.add('is:pasted')
  if (words.at(-1)?.text === '?') features.add('ask:closing')
  if (words.some((word) => word.text === '?')) features.add('ask:mark')
  if (typed.some((word) => NOUN_CLASS.get(word.text) === 'problem' || word.text === 'broken')) features.add('bug:named')
}
