/** Look-up tables built once from the lexicon: inflected form → lemma, and a typo index over the cue words. */

import {
  AGENT_FAMILIES,
  AUXILIARIES,
  FILLERS,
  NOT_TYPOS,
  NOUNS,
  PARTY_ADJECTIVES,
  PARTY_NOUNS,
  QUESTION_WORDS,
  STATES,
  VERB_CLASSES,
  VERBS,
  type VerbClass,
} from './lexicon.ts'
import { CAPITAL_NAMES, FIRST_NAMES, NOT_PEOPLE } from './lexicon-names.ts'
import { FOREIGN_WORDS } from './lexicon-foreign.ts'

export type Form = 'base' | 's' | 'ing' | 'ed'
export interface Inflection {
  readonly lemma: string
  readonly form: Form
}

const IRREGULAR: Readonly<Record<string, readonly [lemma: string, form: Form]>> = {
  wrote: ['write', 'ed'],
  written: ['write', 'ed'],
  made: ['make', 'ed'],
  gave: ['give', 'ed'],
  given: ['give', 'ed'],
  took: ['take', 'ed'],
  taken: ['take', 'ed'],
  built: ['build', 'ed'],
  found: ['find', 'ed'],
  told: ['tell', 'ed'],
  sent: ['send', 'ed'],
  showed: ['show', 'ed'],
  shown: ['show', 'ed'],
  did: ['do', 'ed'],
  done: ['do', 'ed'],
  does: ['do', 's'],
  went: ['go', 'ed'],
  goes: ['go', 's'],
  going: ['go', 'ing'],
  got: ['get', 'ed'],
  left: ['leave', 'ed'],
  understood: ['understand', 'ed'],
  thought: ['think', 'ed'],
  having: ['have', 'ing'],
  put: ['put', 'base'],
  putting: ['put', 'ing'],
  getting: ['get', 'ing'],
  letting: ['let', 'ing'],
}

/** Verbs that are no class of their own but take part in phrases ("take … over", "go on", "leave notes"). */
const PHRASE_VERBS =
  'do go take leave stop want need come keep work start try provide offer lend conduct perform present supply deliver compose hold act serve stay begin set bring'.split(
    ' ',
  )

export const VERB_CLASS: ReadonlyMap<string, VerbClass> = verbClasses()

function verbClasses(): Map<string, VerbClass> {
  const classes = new Map<string, VerbClass>()
  for (const name of VERB_CLASSES) {
    for (const verb of VERBS[name]) if (!classes.has(verb)) classes.set(verb, name)
  }
  return classes
}

const INFLECTIONS: ReadonlyMap<string, Inflection> = inflections()

function inflections(): Map<string, Inflection> {
  const forms = new Map<string, Inflection>()
  for (const verb of [...PHRASE_VERBS, ...VERB_CLASS.keys()]) forms.set(verb, { lemma: verb, form: 'base' })
  for (const [text, [lemma, form]] of Object.entries(IRREGULAR)) forms.set(text, { lemma, form })
  const add = (text: string, lemma: string, form: Form): void => {
    if (!forms.has(text)) forms.set(text, { lemma, form })
  }
  for (const verb of [...PHRASE_VERBS, ...VERB_CLASS.keys()]) {
    if (verb.includes('_')) continue
    const stem = verb.endsWith('e') ? verb.slice(0, -1) : verb
    const doubled = /[^aeiou][aeiou][bdgklmnprt]$/.test(verb) ? verb + verb.slice(-1) : stem
    add(/(?:s|sh|ch|x|z)$/.test(verb) ? `${verb}es` : `${verb}s`, verb, 's')
    if (/[^aeiou]y$/.test(verb)) {
      add(`${verb.slice(0, -1)}ies`, verb, 's')
      add(`${verb.slice(0, -1)}ied`, verb, 'ed')
    }
    for (const base of new Set([stem, doubled])) {
      add(`${base}ing`, verb, 'ing')
      add(`${base}ed`, verb, 'ed')
    }
  }
  return forms
}

const CUE_WORDS: ReadonlySet<string> = new Set([
  ...[...INFLECTIONS.keys()].filter((text) => !text.includes('_')),
  ...Object.values(NOUNS).flat(),
  ...Object.values(STATES).flat(),
  ...PARTY_NOUNS,
  ...AGENT_FAMILIES,
  ...QUESTION_WORDS,
  'please',
  'with',
  'from',
  'the',
  'anything',
  'without',
  'only',
  'tests',
  'over',
])

const KNOWN: ReadonlySet<string> = new Set([
  ...CUE_WORDS,
  ...NOT_TYPOS,
  ...FILLERS,
  ...AUXILIARIES,
  ...FIRST_NAMES,
  ...CAPITAL_NAMES,
  ...NOT_PEOPLE,
  ...Object.values(PARTY_ADJECTIVES).flat(),
])

/** Cue words by every string that arises from leaving out one letter: two words one slip apart share such a string. */
const DELETIONS: ReadonlyMap<string, readonly string[]> = deletions()

function deletions(): Map<string, string[]> {
  const index = new Map<string, string[]>()
  for (const cue of CUE_WORDS) {
    if (cue.length < 3) continue
    for (const key of [cue, ...leavingOneOut(cue)]) {
      const list = index.get(key)
      if (list === undefined) index.set(key, [cue])
      else list.push(cue)
    }
  }
  return index
}

function leavingOneOut(text: string): string[] {
  return Array.from(text, (_, at) => text.slice(0, at) + text.slice(at + 1))
}

/** True when `b` arises from `a` by swapping two neighbours (the commonest slip). */
function swapped(a: string, b: string): boolean {
  if (a.length !== b.length) return false
  let at = 0
  while (at < a.length && a[at] === b[at]) at++
  return a[at] === b[at + 1] && a[at + 1] === b[at] && a.slice(at + 2) === b.slice(at + 2)
}

/**
 * The cue word that `text` is probably a misspelling of, or `text` itself.
 *
 * One slip (a letter too many, too few, wrong, or two swapped) is mended; the first letter must be right unless it
 * takes part in a swap, and words of three or four letters are mended for swaps only.
 */
function spelled(text: string): string {
  if (text.length < 3 || text.length > 20 || KNOWN.has(text) || FOREIGN_WORDS.has(text) || !/^[a-z]+$/.test(text))
    return text
  let best = text
  for (const key of [text, ...leavingOneOut(text)]) {
    for (const cue of DELETIONS.get(key) ?? []) {
      if (swapped(text, cue)) return cue
      if (Math.min(text.length, cue.length) < 5 || cue[0] !== text[0]) continue
      if (Math.abs(cue.length - text.length) <= 1 && oneSlip(text, cue) && best === text) best = cue
    }
  }
  return best
}

/** True when the words differ by one inserted, left out or changed letter. */
function oneSlip(a: string, b: string): boolean {
  let head = 0
  while (head < a.length && head < b.length && a[head] === b[head]) head++
  const restA = a.slice(head)
  const restB = b.slice(head)
  return restA.slice(1) === restB.slice(1) || restA.slice(1) === restB || restA === restB.slice(1)
}

/** English for a foreign cue word, the word with its typo mended, or the word as it is. */
export function canonical(text: string): string {
  return FOREIGN_WORDS.get(text) ?? spelled(text)
}

export function inflection(text: string): Inflection | undefined {
  return INFLECTIONS.get(text)
}
