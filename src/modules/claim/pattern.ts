import { AppError } from '../../kernel/errors.ts'
import { caseKey } from './case-fold.ts'

/** In UTF-8. A key is at most twice as long, which an index entry of PostgreSQL (2,704 bytes) still takes. */
export const MAX_PATH_BYTES = 1024
export const MAX_PATH_SEGMENTS = 64

/**
 * Which paths a claim or a footprint means, relative to the root of the repository.
 *
 * - A **literal** means that path and everything below it.
 * - A **glob** means exactly the paths that it matches: `*` any run of characters of one segment (an empty one and a
 *   leading dot too), `?` exactly one character (code point), `**` as a whole segment any number of segments (none too:
 *   `v?/**` matches `v1` itself, and `**` alone is the whole repository). Everything else stands for itself, also
 *   `[ ] { } ! ( )` and `%`.
 *
 * Names are compared by their key, so that two spellings which some file system takes for one file are one path.
 */
export interface PathPattern {
  /**
   * What the caller wrote, in NFC and in one form: a literal without trailing `/` or `/**` (`src/` and `src/**` are
   * `src`), a trailing `/` of a glob written out as `/**`, `**` segments in a row as one. Parses to the same pattern.
   * Free of control, bidi and tag characters.
   */
  readonly display: string
  readonly kind: 'literal' | 'glob'
  /** `caseKey` of the display without its invisible characters. Patterns with the same key mean the same paths. */
  readonly key: string
  /** The leading segments of the key without a wildcard: of a literal all of it, of `src/*.ts` `src`, of `**` ''. */
  readonly prefix: string
}

/**
 * The joiners and the two presentation selectors occur in honest names (Persian, Indic scripts, emoji). They stay in the
 * display but not in the key: HFS+ and case-folding ext4 ignore them, so with and without them is one file. Every other
 * character that is invisible by default (bidi controls, tags, fillers, soft hyphens, …) is refused: it only makes two
 * names look alike, or hides text from people.
 */
const INVISIBLE = /\u200C|\u200D|\uFE0E|\uFE0F/gu
const HIDDEN = /(?!\u200C|\u200D|\uFE0E|\uFE0F)\p{Default_Ignorable_Code_Point}/u
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}]/u
const LONE_SURROGATE = /\p{Cs}/u
const UNPRINTABLE = new RegExp([HIDDEN, CONTROL, LONE_SURROGATE].map((part) => part.source).join('|'), 'gu')

const WHOLE = 'the whole repository is `**`'
const RELATIVE = 'write it relative to the root of the repository'
const TOO_LONG = `It is longer than ${MAX_PATH_BYTES} bytes.`

type Fault = readonly [isFault: (text: string) => boolean, reason: string]

const TEXT_FAULTS: readonly Fault[] = [
  [(path) => path === '', `It is empty; ${WHOLE}.`],
  [(path) => Buffer.byteLength(path) > MAX_PATH_BYTES, TOO_LONG],
  [(path) => LONE_SURROGATE.test(path), 'It is not well-formed Unicode (lone surrogate).'],
  [(path) => CONTROL.test(path), 'It holds NUL, a line break or another control character.'],
  [(path) => HIDDEN.test(path), 'It holds an invisible formatting character (bidi control, tag or filler).'],
  [(path) => /^(?:\/\/|\\\\)/u.test(path), `It is a UNC path; ${RELATIVE}.`],
  [(path) => /^[a-z]:/iu.test(path), `It begins with a drive letter; ${RELATIVE}.`],
  [(path) => path.startsWith('/'), `It is absolute; ${RELATIVE} (${WHOLE}).`],
  [(path) => path.includes('\\'), 'It holds a backslash; separate segments with `/`.'],
]

const SEGMENT_FAULTS: readonly Fault[] = [
  [(segment) => visible(segment) === '', 'It has an empty segment (`//`).'],
  [(segment) => visible(segment) === '.', `It has a \`.\` segment; leave it out (${WHOLE}).`],
  [(segment) => visible(segment) === '..', 'It has a `..` segment; paths cannot leave the repository.'],
  [(segment) => segment !== '**' && visible(segment).includes('**'), '`**` must be a whole segment (`src/**/test`).'],
]

const hasWildcard = (text: string): boolean => /[*?]/u.test(text)
const visible = (text: string): string => text.replace(INVISIBLE, '')

/** The segments of the display: a trailing `/` means `/**`, which on a literal says nothing new, so it goes. */
function canonicalSegments(path: string): string[] {
  const segments = path
    .replace(/\/$/u, '/**')
    .split('/')
    .filter((segment, i, all) => segment !== '**' || all[i - 1] !== '**')
  const isSubtreeOfLiteral = segments.length > 1 && segments.at(-1) === '**' && !segments.slice(0, -1).some(hasWildcard)
  return isSubtreeOfLiteral ? segments.slice(0, -1) : segments
}

/** The pattern, or the reason why there is none. */
function parse(raw: string): PathPattern | string {
  const textFault = TEXT_FAULTS.find(([isFault]) => isFault(raw))
  if (textFault) return textFault[1]

  const segments = canonicalSegments(raw.normalize('NFC'))
  const segmentFault = SEGMENT_FAULTS.find(([isFault]) => segments.some((segment) => isFault(segment)))
  if (segmentFault) return segmentFault[1]
  if (segments.length > MAX_PATH_SEGMENTS) return `It has more than ${MAX_PATH_SEGMENTS} segments.`

  const display = segments.join('/')
  if (Buffer.byteLength(display) > MAX_PATH_BYTES) return TOO_LONG
  const keySegments = caseKey(visible(display)).split('/')
  const firstWild = keySegments.findIndex(hasWildcard)
  return {
    display,
    kind: firstWild === -1 ? 'literal' : 'glob',
    key: keySegments.join('/'),
    prefix: keySegments.slice(0, firstWild === -1 ? undefined : firstWild).join('/'),
  }
}

/** A refused path as it may be shown: cut, and with nothing unprintable left in it. */
function echo(raw: string): string {
  return raw.slice(0, 256).replace(UNPRINTABLE, '\u{FFFD}')
}

/**
 * Parses one pattern. Nothing is decoded, trimmed or guessed: a path that is not valid is refused.
 *
 * @throws AppError PATH_INVALID, its message the reason, with `details: { path, reason }`
 */
export function parsePattern(raw: string): PathPattern {
  const parsed = parse(raw)
  if (typeof parsed !== 'string') return parsed
  throw new AppError('PATH_INVALID', parsed, { details: { path: echo(raw), reason: parsed } })
}

/**
 * Parses many patterns; of several with the same key the first stays.
 *
 * @throws AppError PATH_INVALID with all faults at once, in the order given: `details: { invalid: [{ path, reason }] }`
 */
export function parsePatterns(raws: readonly string[]): PathPattern[] {
  const parsed = raws.map((raw) => ({ path: raw, result: parse(raw) }))
  const invalid = parsed.flatMap(({ path, result }) =>
    typeof result === 'string' ? [{ path: echo(path), reason: result }] : [],
  )
  if (invalid[0]) {
    const message = `${invalid.length} of ${raws.length} paths cannot be used. The first: ${invalid[0].reason}`
    throw new AppError('PATH_INVALID', message, { details: { invalid } })
  }
  const byKey = new Map<string, PathPattern>()
  for (const { result } of parsed) {
    if (typeof result !== 'string' && !byKey.has(result.key)) byKey.set(result.key, result)
  }
  return [...byKey.values()]
}
