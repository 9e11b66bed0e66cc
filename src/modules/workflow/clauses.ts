/**
 * The grammar of a prompt: clauses, the verb at the head of each and how it is put (command, request, question, negated
 * …), and the act that the verb and its object ask for.
 */

import { AUXILIARIES, FILLERS, JUDGEMENTS, NOUNS, QUESTION_WORDS } from './lexicon.ts'
import { isBoundary, PARTY, type Word } from './phrases.ts'

export const setOf = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/))

const SINGULAR: readonly (readonly [noun: string, name: string])[] = Object.entries(NOUNS).flatMap(([name, list]) =>
  list.map((noun) => [noun, name] as const),
)
/** What is listed as it is wins over a plural. */
export const NOUN_CLASS: ReadonlyMap<string, string> = new Map([
  ...SINGULAR.filter(([noun]) => noun !== 'work' && !noun.endsWith('s')).map(
    ([noun, name]) => [noun.endsWith('y') ? `${noun.slice(0, -1)}ies` : `${noun}s`, name] as const,
  ),
  ...SINGULAR,
])
export const PRONOUN_SUBJECT = setOf('i we you he she they it im ive weve id youre theyre its')
export const NEGATIONS = setOf(
  'dont not never no without nothing cannot cant wont nor avoid doesnt didnt isnt arent shouldnt',
)
export const FUNCTION = setOf(
  `to on with from for in at of by into as is are was were be been the a an my your our his her their this that these those it them i we you he
  she they me us and or but if when while until before after not dont no without only just what why how where who which whose does do did
  can could should will would have has let any all some yet so then than there im whats lets never nothing anything still done please
  up out off over about between among next`,
)
const MAKING = setOf(
  'create write make do give draft prepare produce need want put_together come_up_with perform run get leave post build have work_out generate provide share present conduct develop write_up let offer lend figure_out list define supply deliver compose hold',
)
const DEMONSTRATIVE = setOf('the a an my our your this that these those all it its every each some any')
const ME = setOf('me us')
const SUBORDINATORS = setOf(
  'if when while because since until unless before after whenever as although though once so_that',
)

export interface Clause {
  readonly words: readonly Word[]
  readonly end: string
  readonly subordinate: boolean
  readonly relative: boolean
}

const RELATIVES = setOf('which who whose where')
const isFiller = ({ words }: Clause): boolean => words.every((word) => FILLERS.has(word.text))

/** Cuts at punctuation, and before "and"/"then"/"but" when a verb follows. */
export function clausesOf(words: readonly Word[]): Clause[] {
  const out: Clause[] = []
  let current: Word[] = []
  const close = (end: string): void => {
    const opener = current.find((word) => !FILLERS.has(word.text) || SUBORDINATORS.has(word.text))
    const before = out.at(-1)
    if (current.length > 0) {
      // "…, which is stuck" tells about what came before; "hi, who is stuck" asks.
      const relative =
        opener === current[0] &&
        RELATIVES.has(opener?.text ?? '') &&
        before?.end === ',' &&
        end !== '?' &&
        !isFiller(before)
      out.push({ words: current, end, relative, subordinate: opener !== undefined && SUBORDINATORS.has(opener.text) })
    }
    current = []
  }
  for (const [at, word] of words.entries()) {
    if (isBoundary(word.text)) close(word.text)
    else {
      if (startsClause(words, at) && current.length > 0) close('and')
      current.push(word)
    }
  }
  close('.')
  return out
}

function startsClause(words: readonly Word[], at: number): boolean {
  const text = words[at]?.text ?? ''
  if (text === 'then' || text === 'but') return true
  if (text === 'before' || text === 'after' || text === 'without') return words[at + 1]?.verb !== undefined
  if (text !== 'and' && text !== 'or' && text !== 'so') return false
  let next = at + 1
  while (next < at + 4 && FILLERS.has(words[next]?.text ?? '')) next++
  const follower = words[next]
  if (follower === undefined) return false
  if (NEGATIONS.has(follower.text) || follower.text === 'let') return true
  if (follower.verb === undefined || follower.form !== 'base') return false
  // "for correctness and style.": what ends the clause after a noun is a noun too.
  const last = words[next + 1] === undefined || isBoundary(words[next + 1]?.text ?? '')
  return !last || words[at - 1]?.form !== undefined
}

export interface Head {
  /** Position of the head verb in the clause; -1 without one. */
  readonly at: number
  readonly kind: 'command' | 'request' | 'question' | 'negated' | 'wish' | 'statement' | 'fragment'
}

/** Finds the verb that a clause asks for, past greetings, politeness, and forms like "could you", "I need you to". */
export function headOf({ words, relative }: Clause): Head {
  if (relative) return { at: -1, kind: 'statement' }
  let at = 0
  while (at < words.length && FILLERS.has(words[at]?.text ?? '')) at++
  const text = (offset: number): string => words[at + offset]?.text ?? ''
  if (at >= words.length) return { at: -1, kind: 'fragment' }
  if (text(0) === 'lets' || (text(0) === 'let' && ME.has(text(1)))) return verbFrom(words, at + 1, 'command')
  if (NEGATIONS.has(text(0)) || (text(0) === 'do' && text(1) === 'not')) return verbFrom(words, at + 1, 'negated')
  if (text(0) === 'can_you') return verbFrom(words, at + 1, 'request')
  if (
    ['can', 'could', 'would', 'will', 'may', 'think'].includes(text(0)) &&
    ['you', 'u', 'we', 'someone', 'ya'].includes(text(1))
  ) {
    return verbFrom(words, at + 2, text(1) === 'we' ? 'wish' : 'request')
  }
  if (text(0) === 'mind') return verbFrom(words, at + 1, 'request')
  if (text(0) === 'how_implement') return { at: -1, kind: 'question' }
  if (QUESTION_WORDS.has(text(0)) || text(0) === 'question') return { at: -1, kind: 'question' }
  if (FUNCTION.has(text(0)) && QUESTION_WORDS.has(text(1)) && text(1) !== 'how') return { at: -1, kind: 'question' }
  if (text(0) === 'have' && (PRONOUN_SUBJECT.has(text(1)) || text(1) === 'there')) return { at: -1, kind: 'question' }
  if (AUXILIARIES.has(text(0)) && text(0) !== 'have' && text(0) !== 'do') {
    const possible = words.findIndex((word) => word.text === 'possible')
    const asked = ['to', 'for'].includes(words[possible + 1]?.text ?? '')
    return possible >= 0 && asked ? verbFrom(words, possible + 1, 'request') : { at: -1, kind: 'question' }
  }
  if (text(0) === 'do' && PRONOUN_SUBJECT.has(text(1))) return { at: -1, kind: 'question' }
  if (text(0) === 'i' || text(0) === 'we' || text(0) === 'id' || text(0) === 'im') return wish(words, at)
  if (text(0) === 'you' && ['should', 'must', 'need', 'have', 'will', 'can'].includes(text(1)))
    return verbFrom(words, at + 2, 'wish')
  const first = words[at]
  if (first?.form === 'base' || (first?.verb !== undefined && first.form === undefined)) return { at, kind: 'command' }
  if (first?.form === 'ing' && at === 0) return { at, kind: 'statement' }
  // An unknown word before a determiner is a verb: "zap the cache".
  if (DEMONSTRATIVE.has(text(1)) && !FUNCTION.has(text(0)) && !text(0).startsWith('<')) return { at, kind: 'command' }
  return { at: -1, kind: PRONOUN_SUBJECT.has(text(0)) ? 'statement' : 'fragment' }
}

/** "I want you to …", "I'd like to …", "we need …", "I was wondering if you could …". */
function wish(words: readonly Word[], at: number): Head {
  for (let next = at + 1; next < Math.min(words.length, at + 12); next++) {
    const text = words[next]?.text ?? ''
    const after = words[next + 1]?.text ?? ''
    if ((text === 'could' || text === 'can') && after === 'you') return verbFrom(words, next + 2, 'request')
    if (text === 'if' && after === 'you') return verbFrom(words, next + 3, 'request')
    if (text === 'want' || text === 'need' || text === 'like' || text === 'love' || text === 'wanna') {
      for (let to = next + 1; to <= next + 4; to++) {
        if (words[to]?.text === 'to') return verbFrom(words, to + 1, 'wish')
      }
      return { at: next, kind: 'wish' }
    }
  }
  return { at: -1, kind: 'statement' }
}

/** The next verb at or after a position, over adverbs and pronouns. */
function verbFrom(words: readonly Word[], from: number, kind: Head['kind']): Head {
  for (let at = from; at < Math.min(words.length, from + 6); at++) {
    const word = words[at]
    if (word?.verb !== undefined || (word?.form !== undefined && word.lemma !== 'do')) return { at, kind }
  }
  return { at: from < words.length ? from : -1, kind }
}

/** What the head asks for: its class, corrected by its object ("write a plan" plans, "help me add" adds). */
export function actOf(words: readonly Word[], at: number): string {
  const head = words[at]
  if (head === undefined) return 'none'
  const next = words[at + 1]
  if (head.verb === 'help' && next !== undefined && (ME.has(next.text) || next.text === 'to')) {
    const inner = words.findIndex((word, index) => index > at && word.verb !== undefined && word.form === 'base')
    return inner > 0 ? actOf(words, inner) : 'helpme'
  }
  const withParty = words.some((word, index) => index > at && word.text === PARTY)
  if (MAKING.has(head.lemma)) {
    const noun = objectClass(words, at)
    if (noun === 'plan' || noun === 'review' || noun === 'handoff') return noun
    if (noun === 'help') return withParty ? 'help+party' : 'help'
  }
  if (['tell', 'show', 'let', 'give', 'get'].includes(head.lemma) && next !== undefined && ME.has(next.text))
    return `${head.lemma}me`
  if (inspects(words, at)) return 'seek'
  if (head.verb === 'cause' || head.verb === 'transfer') {
    if (next?.text === PARTY) return `${head.lemma}party`
    if (withParty) return `${head.verb}+party`
    return head.lemma === 'make' ? 'edit' : head.verb
  }
  if (head.verb === undefined) return head.form === undefined ? 'unknown' : head.lemma
  if (
    ['resume', 'finish', 'release', 'divide', 'join', 'delegate', 'takeover', 'help', 'handoff', 'edit'].includes(
      head.verb,
    )
  ) {
    return withParty ? `${head.verb}+party` : head.verb
  }
  return head.verb
}

const INSPECTING = setOf('validate test comment compare highlight go_through')

/** "check the diff", "look for bugs", "validate my approach": looking that judges, because of what is looked at. */
function inspects(words: readonly Word[], at: number): boolean {
  const head = words[at]
  if (head === undefined) return false
  if (head.verb !== 'look' && head.verb !== 'show' && !INSPECTING.has(head.lemma)) return false
  return words.slice(at + 1, at + 7).some((word, index, near) => {
    if (JUDGEMENTS.has(word.text)) return true
    const noun = NOUN_CLASS.get(word.text)
    return (noun === 'problem' || noun === 'artifact' || noun === 'review') && endsPhrase(near, index)
  })
}

/** Class of the first noun after the head that ends its phrase: "a plan for x" → plan, "the plan page" → none. */
function objectClass(words: readonly Word[], at: number): string | undefined {
  for (let index = at + 1; index < Math.min(words.length, at + 8); index++) {
    const word = words[index]
    if (word === undefined) break
    const noun = NOUN_CLASS.get(word.lemma) ?? NOUN_CLASS.get(word.text)
    const before = NOUN_CLASS.get(words[index - 1]?.text ?? '')
    if (noun === 'document' && endsPhrase(words, index) && (before === 'plan' || before === 'work')) return 'plan'
    if (noun !== undefined && endsPhrase(words, index)) return noun
    if (index > at + 1 && ['to', 'for', 'on', 'from', 'with', 'in', 'where', 'that'].includes(word.text)) break
  }
  return undefined
}

export function endsPhrase(words: readonly Word[], at: number): boolean {
  const next = words[at + 1]
  return (
    next === undefined ||
    FUNCTION.has(next.text) ||
    isBoundary(next.text) ||
    next.text.startsWith('<') ||
    FILLERS.has(next.text)
  )
}
