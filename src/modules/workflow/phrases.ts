/**
 * From tokens to words: typos mended, inflections undone, phrasal verbs joined also when something stands between their
 * halves ("hand *this task* over"), and everybody who can hold work ("the previous agent", "codex-2", "Alice") folded
 * into one word.
 */

import { AGENT_FAMILIES, PARTY_ADJECTIVES, PARTY_NOUNS } from './lexicon.ts'
import { CAPITAL_NAMES, FIRST_NAMES, NOT_PEOPLE } from './lexicon-names.ts'
import { tokenise, type Token } from './prompt-text.ts'
import { canonical, inflection, VERB_CLASS, type Form } from './vocabulary.ts'
import type { VerbClass } from './lexicon.ts'

export const PARTY = '<party>'

export interface Word {
  readonly text: string
  readonly lemma: string
  readonly verb?: VerbClass
  readonly form?: Form
  /** For a {@link PARTY}: which one is meant. */
  readonly which?: 'named' | 'previous' | 'next' | 'other' | 'some'
}

const BOUNDARIES = new Set(['.', '?', ',', ':', '\n'])
export const isBoundary = (text: string): boolean => BOUNDARIES.has(text)

/** Phrases of adjacent words, by their first lemma. */
const PHRASES: ReadonlyMap<string, readonly (readonly [rest: readonly string[], lemma: string])[]> = phraseTable(`
take over:take_over takeover:take_over take care:take_care take ownership:take_over take charge:take_over assume ownership:take_over
assume control:take_over assume responsibility:take_over take the baton:take_over take the reins:take_over step in:step_in stand in:step_in fill in for:take_over
pick up:pick_up carry on:carry_on go on:go_on go ahead:proceed left off:left_off leave off:left_off keep going:continue
hand off:hand_off hand over:hand_over handoff to:hand_off wrap up:wrap_up wind down:wrap_up pass on:pass_on pass along:pass_on pass over:hand_over turn over:hand_over
log off:log_off sign off:sign_off step aside:step_aside step back:step_back close out:wrap_up shut down:shut_down
hand out:hand_out farm out:farm_out fan out:fan_out spin up:spawn fire up:spawn kick off:kick_off pawn off:pawn_off
lend a hand:lend_hand give a hand:lend_hand help out:help_out back up:back_up team up:team_up pair up:pair pair program:pair jump in:jump_in
pitch in:pitch_in chip in:chip_in join in:join_in hop on:hop_on join forces:join work together:collaborate work alongside:collaborate work jointly:collaborate
break down:break_down lay out:lay_out map out:map_out work out:work_out come up with:come_up_with put together:put_together write up:write_up
double check:double_check sanity check:sanity_check look over:review go over:go_over go through:go_through walk through:explain walk me through:explain
have a critical look:look_at have a close look:look_at have a quick look:look_at have a good look:look_at take a close look:look_at take a closer look:look_at take a quick look:look_at take a critical look:look_at take a good look:look_at
look at:look_at look for:look_for look into:investigate look up:find figure out:figure_out find out:find_out point out:point_out take a look:look_at have a look:look_at
set up:set_up wire up:wire_up hook up:hook_up clean up:clean_up tidy up:tidy_up speed up:speed_up get rid:get_rid rip out:rip_out turn off:turn_off
turn on:turn_on turn into:turn_into bring back:bring_back put back:put_back sort out:sort_out make sure:make_sure roll back:roll_back follow up:follow_up
up to speed:up_to_speed second pair:second_pair run out:ran_out stop working:stop_working
read only:read_only no op:read_only hold off:hold_off give up:give_up let go of:let_go comment on:comment_on take it from here:take_over share out:share_out step by step:step_by_step pros and cons:options one pager:pager call it a day:done_today for today:done_today for the day:done_today
release notes:release_notes carry out:carry_out keep an eye:keep_an_eye follow along:follow_along keep track:keep_track look around:look_around
second opinion:second_opinion once over:once_over pick apart:pick_apart poke holes:poke_holes cross check:cross_check parcel out:parcel_out deal out:deal_out
co work:co_work work hand in hand:collaborate work side by side:collaborate work with:work_with step down:step_back pull request:pr pull requests:prs
claude code:claude gemini cli:gemini codex cli:codex github copilot:copilot take the wheel:take_over take the helm:take_over pick up the baton:take_over pick up the thread:take_over step into:step_into see through:see_through
stand down:stand_down bow out:bow_out hand back:hand_back give back:give_back clock out:clock_out log out:log_out sign out:sign_out pass the torch:hand_off pass the baton:hand_off hand the reins:hand_off call it quits:done_today
buddy up:buddy_up double up:double_up join hands:join_hands rope in:rope_in bring in:bring_in redirect to:redirect_to think up:think_up hash out:hash_out tear apart:tear_apart weigh in:weigh_in cast an eye:eyeball
dig up:dig_up dig into:dig_into look through:look_through fill me in:catch_up catch me up:catch_up catch up:catch_up flesh out:flesh_out whip up:whip_up knock out:knock_out roll out:roll_out iron out:iron_out
track down:track_down hunt down:hunt_down touch up:touch_up beef up:beef_up swap out:swap_out phase out:phase_out take out:take_out take down:take_down strip out:strip_out comment out:comment_out pull out:pull_out factor out:factor_out split out:split_out stub out:stub_out
rate limit:rate-limit dry run:dry_run what about:what_about how about:how_about what if:what_if as soon as:when heads up:fyi got it:got_it`)

function phraseTable(text: string): Map<string, [string[], string][]> {
  const table = new Map<string, [string[], string][]>()
  for (const entry of text.trim().split(/(?<=:\S+)\s+/)) {
    const [phrase = '', lemma = ''] = entry.split(':')
    const [first = '', ...rest] = phrase.split(' ')
    const list = table.get(first) ?? []
    list.push([rest, lemma])
    table.set(
      first,
      list.sort((a, b) => b[0].length - a[0].length),
    )
  }
  return table
}

/** Verb + particle that may stand apart, "hand the task *over*", with at most five words between. */
const SPLIT_PHRASES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  hand: { over: 'hand_over', off: 'hand_off', out: 'hand_out' },
  take: { over: 'take_over' },
  wrap: { up: 'wrap_up' },
  turn: { over: 'hand_over', off: 'turn_off', on: 'turn_on' },
  pass: { on: 'pass_on', along: 'pass_on', over: 'hand_over' },
  break: { down: 'break_down', into: 'break_down' },
  give: { hand: 'lend_hand' },
  lend: { hand: 'lend_hand' },
  help: { out: 'help_out' },
  farm: { out: 'farm_out' },
  parcel: { out: 'parcel_out' },
  carry: { out: 'carry_out', on: 'carry_on' },
  pick: { up: 'pick_up', apart: 'pick_apart' },
  plan: { out: 'plan' },
  look: { over: 'review' },
  put: { back: 'put_back' },
  bring: { back: 'bring_back' },
}

/** The words of a prompt, boundaries included. */
export function wordsOf(prompt: string): Word[] {
  return nouns(parties(joined(tokenise(prompt))))
}

const ARTICLES = new Set("the a an my our your their his its 's".split(' '))

/** "the plan", "my fix", "codex's review": after an article a word that could be a verb is a noun. */
function nouns(words: readonly Word[]): Word[] {
  return words.map((word, at) => {
    if (word.form !== 'base' || !ARTICLES.has(words[at - 1]?.text ?? '')) return word
    return { text: word.text, lemma: word.lemma }
  })
}

function lexical(token: Token): Word {
  if (token.text.startsWith('<') || isBoundary(token.text)) return { text: token.text, lemma: token.text }
  const text = canonical(token.text)
  const found = inflection(text)
  const lemma = found?.lemma ?? text
  const verb = VERB_CLASS.get(lemma)
  return { text, lemma, ...(verb && { verb }), ...(found && { form: found.form }) }
}

function joined(tokens: readonly Token[]): (Word & { name: boolean })[] {
  const words = tokens.map((token) => ({ ...lexical(token), name: token.name }))
  const out: (Word & { name: boolean })[] = []
  for (let at = 0; at < words.length; at++) {
    const word = words[at]
    if (word === undefined) continue
    const phrase =
      matchPhrase(words, at, word.lemma) ?? (word.text === word.lemma ? undefined : matchPhrase(words, at, word.text))
    if (phrase !== undefined) {
      out.push(asVerb(word, phrase.lemma))
      at += phrase.length
      continue
    }
    const particle = splitParticle(words, at)
    out.push(particle === undefined ? word : asVerb(word, particle))
  }
  return out
}

function asVerb(word: Word & { name: boolean }, lemma: string): Word & { name: boolean } {
  const verb = VERB_CLASS.get(lemma)
  const { verb: _, ...rest } = word
  return {
    ...rest,
    text: verb === undefined ? lemma : word.text,
    lemma,
    form: word.form ?? 'base',
    ...(verb && { verb }),
  }
}

function matchPhrase(words: readonly Word[], at: number, first: string): { lemma: string; length: number } | undefined {
  for (const [rest, lemma] of PHRASES.get(first) ?? []) {
    if (rest.every((part, offset) => words[at + 1 + offset]?.text === part || words[at + 1 + offset]?.lemma === part)) {
      return { lemma, length: rest.length }
    }
  }
  return undefined
}

function splitParticle(words: readonly Word[], at: number): string | undefined {
  const lemma = words[at]?.lemma ?? ''
  const particles = Object.hasOwn(SPLIT_PHRASES, lemma) ? SPLIT_PHRASES[lemma] : undefined
  if (particles === undefined) return undefined
  for (let next = at + 1; next <= at + 6; next++) {
    const text = words[next]?.text
    if (text === undefined || isBoundary(text)) return undefined
    if (Object.hasOwn(particles, text)) return particles[text]
  }
  return undefined
}

const DETERMINERS = new Set(
  'the a an my our your their his her this that these those any some each every all both no'.split(' '),
)
const NOT_NOUN = new Set(
  `to on with from for in at of by into over about as is are was were has have had can could should will would may might
  must does did do dont not that which who so then and or but if when while until since because before after it them this these those
  the a an my your his her their its our i you we he she they me him us out up off down again now please already still too also instead
  yet today tomorrow yesterday tonight here there right onto else per within alone need needs wants must free currently one get be gets im its ive isnt cant wont doesnt thats whos hes shes theyre hasnt hadnt didnt wasnt isn`.split(
    /\s+/,
  ),
)
const CAUSATIVES = new Set(
  'have let get ask tell make want help instruct request message spawn use order need see if launch'.split(' '),
)
const PRODUCT_WORDS = new Set(
  'api sdk model cli key keys config plugin extension position style prompt code'.split(' '),
)
const MENTIONED_BY = new Set(
  'help ask tell assist unblock from ping message give let have send get hand assign brief invite join replace relieve remind inform notify'.split(
    ' ',
  ),
)

/** Folds noun phrases for people and agents into one {@link PARTY} word each. */
function parties(words: readonly (Word & { name: boolean })[]): Word[] {
  const out: Word[] = []
  for (const [at, word] of words.entries()) {
    const which = partyAt(words, at, out)
    if (which === undefined) {
      out.push(word)
      continue
    }
    out.push({ text: PARTY, lemma: PARTY, which: qualified(which, out) })
    mergeWithPrevious(out)
  }
  return out
}

function partyAt(words: readonly (Word & { name: boolean })[], at: number, before: readonly Word[]): Word['which'] {
  const word = words[at]
  if (word === undefined) return undefined
  const next = words[at + 1]
  const last = before.at(-1)?.lemma ?? ''
  if (word.text === '<agent>') return 'named'
  if (AGENT_FAMILIES.has(word.text)) {
    if (next !== undefined && PRODUCT_WORDS.has(next.text)) return undefined
    return word.text === 'cursor' && (last === 'the' || last === 'a' || last === 'mouse') ? undefined : 'named'
  }
  if (FIRST_NAMES.has(word.text) && (word.name || word.verb === undefined)) return 'named'
  if (word.name && CAPITAL_NAMES.has(word.text)) return 'named'
  if (
    word.name &&
    word.verb === undefined &&
    !NOT_PEOPLE.has(word.text) &&
    (MENTIONED_BY.has(last) || next?.text === "'s")
  )
    return 'named'
  if (!PARTY_NOUNS.has(word.text) || isModifier(words, at)) return undefined
  const specific = isAdjective(last) || last === 'of'
  if (/^(?:session|instance|dev|bot|guy|shift|peer|folk|crew|worker|developer|owner)/.test(word.text) && !specific)
    return undefined
  return /^(?:some|any|every|who)/.test(word.text) ? 'some' : 'other'
}

const PREVIOUS: ReadonlySet<string> = new Set(PARTY_ADJECTIVES.previous)
const NEXT: ReadonlySet<string> = new Set(PARTY_ADJECTIVES.next)
const ADJECTIVES: ReadonlySet<string> = new Set(Object.values(PARTY_ADJECTIVES).flat())
const isAdjective = (text: string): boolean => text === '<num>' || ADJECTIVES.has(text)

/** "agent list", "team settings": the noun after it is what is meant. */
function isModifier(words: readonly Word[], at: number): boolean {
  const next = words[at + 1]
  if (next === undefined || isBoundary(next.text) || next.text.startsWith('<') || next.text === "'s") return false
  if (NOT_NOUN.has(next.text) || next.form === 'ed' || next.form === 'ing') return false
  if (next.verb === undefined && next.form === undefined) return !/ly$|ed$|ing$/.test(next.text)
  for (let back = at - 1; back >= 0 && back >= at - 5; back--) {
    const lemma = words[back]?.lemma ?? ''
    if (CAUSATIVES.has(lemma)) return false
    if (isBoundary(lemma)) break
  }
  return next.form === 'base'
}

/** Takes the determiner and adjectives that belong to a party noun off `out`, and says what they told. */
function qualified(which: NonNullable<Word['which']>, out: Word[]): NonNullable<Word['which']> {
  let result = which
  for (let taken = 0; taken < 4; taken++) {
    const last = out.at(-1)
    if (last === undefined) break
    const { text } = last
    if (PREVIOUS.has(text)) result = 'previous'
    else if (NEXT.has(text)) result = 'next'
    else if (!DETERMINERS.has(text) && !isAdjective(text)) break
    out.pop()
  }
  return result
}

/** "codex and claude", "agent codex-2" are one party. A comma separates clauses as often as names, and stays. */
function mergeWithPrevious(out: Word[]): void {
  for (;;) {
    const joint = out.at(-2)?.text
    const glue = joint === 'and' || joint === 'or' ? 1 : 0
    const before = out.at(-2 - glue)
    if (before?.text !== PARTY) return
    out.splice(-2 - glue, 2 + glue, before)
  }
}
