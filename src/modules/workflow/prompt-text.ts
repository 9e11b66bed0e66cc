/**
 * From what people paste to a list of plain tokens: code, traces, diffs, quotations, paths and addresses become
 * placeholders, because what they contain says nothing about what is asked.
 *
 * Everything here is one pass with a cursor; the few regular expressions are anchored, run on one bounded chunk, and
 * have no nested repetition, so the time is linear in the (bounded) input.
 */

import { AGENT_FAMILIES } from './lexicon.ts'
import { FIRST_NAMES } from './lexicon-names.ts'
import { FOREIGN_SUBSTRINGS } from './lexicon-foreign.ts'

/** A prompt says what it wants at its ends; what is between is material. Longer prompts are cut to these, characters. */
export const HEAD_LENGTH = 4000
export const TAIL_LENGTH = 1000

/** One token. `text` is a lower-case word, one of `. ? , :` and newline, or a placeholder such as `<path>`. */
export interface Token {
  readonly text: string
  /** Written with a capital inside a sentence: probably a name. */
  readonly name: boolean
}

const FILE_NAME =
  /^[\w@$-][\w.@$-]*\.(?:ts|tsx|js|jsx|mjs|cjs|py|rb|go|rs|java|kt|c|h|cc|cpp|hpp|cs|php|swift|sql|md|mdx|json|jsonl|ya?ml|toml|css|scss|less|html?|vue|svelte|sh|txt|csv|lock|env|xml|ini|cfg|conf|tf|proto|graphql|ipynb|log|snap|pdf|png|svg|lua|ex|exs|dart|scala)$/i
const TRACE_LINE =
  /^(?:at .{1,200}[:)]|file "|traceback|npm (?:err|warn)|panic:|fatal:|caused by|fail [\w./-]+$|error(?: ts\d+|\[e\d+\])?: .|error: |\[?(?:error|warn|info|debug)\]|[\w.]{1,60}(?:error|exception):|\d{4}-\d\d-\d\d[t ]\d\d:|stack:|require stack|\{"|\[\{)/i
const DIFF_LINE = /^(?:diff --git|index [0-9a-f]{7}|@@ |\+\+\+ |--- [ab]\/|[+-] {0,8}[\w<@/#}{]+.*[;{}()=]$)/
const CODE_LINE =
  /^(?:(?:const|let|var|function|import|export|def|class|return|public|private|async|from|if|for|while|select|<\/?[a-z]+)\b.*(?:[;{}=]|=>|\):?$|from .*)|[})\];]+$)/i
/** How people type in a hurry. */
const SHORT: ReadonlyMap<string, string> = new Map([
  ['u', 'you'],
  ['ur', 'your'],
  ['r', 'are'],
  ['w/', 'with'],
  ['w', 'with'],
  ['w/o', 'without'],
  ['b4', 'before'],
  ['abt', 'about'],
  ['bc', 'because'],
  ['cuz', 'because'],
  ['msg', 'message'],
  ['gonna', 'going to'],
  ['wanna', 'want to'],
  ['gimme', 'give me'],
  ['lemme', 'let me'],
  ['ya', 'you'],
  ['tho', 'though'],
  ['ppl', 'people'],
  ['smth', 'something'],
  ['sth', 'something'],
  ['wdyt', 'what do you think'],
  ['rn', 'now'],
  ['idk', 'i dont know'],
  ['pls', 'please'],
  ['plz', 'please'],
  ['thx', 'thanks'],
  ['ty', 'thanks'],
])
const VERSION = /^v?\d[\d.,x%]*(?:[a-z]{1,3})?$/i
const TICKET = /^(?:#\d+|[A-Z]{2,10}-\d+|gh-\d+)$/
const PUNCTUATION_TAIL = '.,;:!?…)]}>*"\'”»'
const AGENT_WORDS = new Set('agent bot session worker subagent'.split(' '))
const ADJECTIVE_ENDINGS = new Set('based style like side specific compatible friendly position'.split(' '))
const JOINED = new Set('what that it let who where how there here he she when why'.split(' '))

/**
 * Splits a prompt into tokens.
 *
 * @param prompt any string; lone surrogates and NUL are harmless
 * @returns tokens of at most the first {@link HEAD_LENGTH} and last {@link TAIL_LENGTH} characters
 */
export function tokenise(prompt: string): Token[] {
  const text =
    prompt.length > HEAD_LENGTH + TAIL_LENGTH
      ? `${prompt.slice(0, HEAD_LENGTH)}\n${prompt.slice(prompt.length - TAIL_LENGTH)}`
      : prompt
  const out: Token[] = []
  let fence = ''
  let afterTrace = false
  for (const line of text.replaceAll('’', "'").replaceAll('\r', '').split('\n')) {
    const body = line.trim()
    const marker = body.startsWith('```') ? '```' : body.startsWith('~~~') ? '~~~' : ''
    if (fence !== '') {
      if (marker === fence) fence = ''
    } else if (marker !== '') {
      // One line ```like this``` opens and closes at once.
      if (!body.slice(3).includes(marker)) fence = marker
      placeholder(out, '<code>')
    } else {
      const kind = pasted(body, afterTrace && line !== body)
      afterTrace = kind === '<trace>'
      if (kind !== '') placeholder(out, kind)
      else scanLine(body, text.length, out)
    }
    mark(out, '\n')
  }
  return out
}

/** What a whole line is, if it was not typed: a trace, a diff, code, or a quotation; else the empty string. */
function pasted(body: string, continuesTrace: boolean): string {
  if (body === '') return ''
  if (body.startsWith('> ')) return '<quote>'
  const head = body.slice(0, 300)
  if (continuesTrace || TRACE_LINE.test(head)) return '<trace>'
  if (DIFF_LINE.test(head)) return '<diff>'
  return CODE_LINE.test(head) && /[;{}=<>]|\):?$/.test(head) ? '<code>' : ''
}

function placeholder(out: Token[], text: string): void {
  if (out.at(-1)?.text !== text) out.push({ text, name: false })
}

/** A boundary; several in a row count once, and the strongest of them (a question mark) is kept. */
function mark(out: Token[], text: string): void {
  const last = out.at(-1)?.text
  if (last === undefined) return
  if (last === '?' || last === text) return
  if (last === '.' || last === '\n' || last === ',' || last === ':') {
    if (text !== ',') out[out.length - 1] = { text, name: false }
    return
  }
  out.push({ text, name: false })
}

const closing: Readonly<Record<string, string>> = { '`': '`', '"': '"', '“': '”', '«': '»', '„': '“', "'": "'" }

function scanLine(line: string, promptLength: number, out: Token[]): void {
  let at = 0
  while (at < line.length) {
    const char = line.charAt(at)
    if (char === ' ' || char === '\t') {
      at++
      continue
    }
    const close = closing[char]
    if (close !== undefined) {
      const end = line.indexOf(close, at + 1)
      // A quotation that is most of the prompt is the prompt.
      if (end > at + 1 && end - at < 160 && end - at < promptLength * 0.7) {
        placeholder(out, char === '`' ? '<code>' : '<str>')
        at = end + 1
      } else at++
      continue
    }
    let end = at
    while (end < line.length && !' \t`"“”«»'.includes(line.charAt(end))) end++
    chunk(line.slice(at, end), out)
    at = end === at ? at + 1 : end
  }
}

/** One run of characters between blanks: leading and trailing punctuation, and a word or placeholder between them. */
function chunk(raw: string, out: Token[]): void {
  let start = 0
  while (start < raw.length && '([{<*_~#->+•\'"'.includes(raw.charAt(start)) && !TICKET.test(raw.slice(start))) start++
  let end = raw.length
  while (end > start && PUNCTUATION_TAIL.includes(raw.charAt(end - 1))) end--
  const core = raw.slice(start, end)
  if (core === '') {
    if (start > 0 && raw.includes('>')) placeholder(out, '<arrow>')
    else if (/^[-–—]+$/.test(raw)) mark(out, ',')
  } else word(core, out)
  const boundary = boundaryIn(raw.slice(end))
  if (boundary !== '') mark(out, boundary)
}

/** The strongest boundary among the punctuation after a word; empty without one. */
function boundaryIn(punctuation: string): string {
  if (/\?/.test(punctuation)) return '?'
  if (/[.!…]/.test(punctuation)) return '.'
  if (/:/.test(punctuation)) return ':'
  return /[,;]/.test(punctuation) ? ',' : ''
}

function word(core: string, out: Token[]): void {
  const kind = placeholderOf(core, out.length === 0)
  if (kind !== '') {
    placeholder(out, kind)
    return
  }
  const bare = core.replace(/^[@/]/, '').replace(/[*_~`]+$/, '')
  const lower = bare.toLowerCase()
  if (/[\u0250-\uFFFF]/.test(lower) && foreignScript(lower, out)) return
  const last = out.at(-1)?.text
  const inSentence = last !== undefined && last !== '.' && last !== '\n' && last !== '?' && last !== ':'
  const name = core.startsWith('@') || (inSentence && /^\p{Lu}\p{Ll}+(?:'s)?$/u.test(bare))
  pushWord(lower, name, out)
}

function pushWord(lower: string, name: boolean, out: Token[]): void {
  const meant = SHORT.get(lower)
  if (meant !== undefined) {
    for (const text of meant.split(' ')) out.push({ text, name: false })
    return
  }
  const apostrophe = lower.indexOf("'")
  if (apostrophe > 0) {
    const base = lower.slice(0, apostrophe)
    const suffix = lower.slice(apostrophe + 1)
    if (suffix === 's' && !JOINED.has(base)) {
      pushWord(base, name, out)
      out.push({ text: "'s", name: false })
    } else if (suffix === 'll') {
      pushWord(base, name, out)
      out.push({ text: 'will', name: false })
    } else if (base.length <= 2 && suffix.length > 2) pushWord(suffix, name, out)
    else out.push({ text: base + suffix, name })
    return
  }
  const hyphen = lower.indexOf('-')
  if (hyphen > 0) {
    const base = lower.slice(0, hyphen)
    if (namesAgent(base, lower.slice(lower.lastIndexOf('-') + 1))) out.push({ text: '<agent>', name: false })
    else for (const part of lower.split('-')) if (part !== '') out.push({ text: part, name: false })
    return
  }
  out.push({ text: lower, name })
}

/** "codex-2", "agent-7", "alice-laptop", "backend-bot"; not "cursor-based", "worker-pool", "user-agent". */
function namesAgent(first: string, last: string): boolean {
  if (AGENT_FAMILIES.has(first) || FIRST_NAMES.has(first)) return !ADJECTIVE_ENDINGS.has(last)
  if (AGENT_WORDS.has(first)) return /\d|^[a-z]$/.test(last)
  return (last === 'agent' || last === 'bot') && first !== 'user'
}

function placeholderOf(core: string, first: boolean): string {
  if (/^https?:\/\//i.test(core)) return /\/(?:pull|merge_requests)\//.test(core) ? '<prurl>' : '<url>'
  if (core.startsWith('@') && !core.includes('/') && !core.includes('.')) return ''
  if (TICKET.test(core)) return '<issue>'
  if (VERSION.test(core)) return '<num>'
  if (core.includes('/')) {
    if (core === 'and/or' || core === 'w/' || core === 'w/o') return ''
    // A command of the client's own (`/review`), not a route.
    return first && /^\/[a-z-]+$/.test(core) ? '' : '<path>'
  }
  if (core.includes('\\') || FILE_NAME.test(core) || /^\.[a-z]/i.test(core)) return '<path>'
  if (/[_(){}=<>;$|[\]]|::|\w\.\w/.test(core) || /^[a-z]+[A-Z]|^[A-Z][a-z0-9]+[A-Z]/.test(core)) return '<id>'
  return ''
}

/** Writes the English cue words found in a run of script without spaces; false when there are none. */
function foreignScript(run: string, out: Token[]): boolean {
  let found = false
  let at = 0
  const bounded = run.slice(0, 400)
  while (at < bounded.length) {
    const hit = FOREIGN_SUBSTRINGS.find(([part]) => bounded.startsWith(part.trimEnd(), at))
    if (hit === undefined) {
      at++
      continue
    }
    found = true
    for (const text of hit[1].split(' ')) {
      if (text === '?') mark(out, '?')
      else out.push({ text, name: false })
    }
    at += hit[0].trimEnd().length
  }
  return found
}
