/**
 * Whether two patterns meet, whether one lies inside the other, and which stored ones are worth asking.
 *
 * What matching means where folding changes the number of characters (`ß` folds to `ss`): a pattern matches a *name*,
 * character by character. `?` and `*` take a character whole; literal text takes it if the character's key comes next in
 * that text. So `?` matches `ß`, `??` matches `ss`, and the literals `ß` and `ss`, one key, match both names. Two
 * patterns overlap iff there is a name that both match: a file that one can reach is never free for the other, however
 * either spells it, and yet `a?` and `a??` do not meet.
 *
 * `contains` must err the other way, so there `?` is one character of the key: `??` contains `ß`, `?` does not. What two
 * patterns both contain, they both match: they overlap.
 *
 * migrations/0001_claim_guard.sql makes the same decision in the database; a change here needs a migration there.
 */
import { EXPANDED_KEYS } from './case-fold.ts'
import type { PathPattern } from './pattern.ts'

/** Sets of positions in a segment, as bits: bit i is the i-th character. */
interface Positions {
  readonly characters: readonly string[]
  readonly of: ReadonlyMap<string, bigint>
  readonly stars: bigint
  readonly anys: bigint
  /** Where the next 2 (3) characters are the key of one single character. */
  readonly pairs: bigint
  readonly triples: bigint
}

/** Positions are found when first needed: most pairs are settled by their text. */
interface Segment {
  readonly text: string
  positions?: Positions
}

function positionsOf(segment: Segment): Positions {
  if (segment.positions) return segment.positions
  const characters = Array.from(segment.text)
  const of = new Map<string, bigint>()
  let pairs = 0n
  let triples = 0n
  characters.forEach((character, i) => {
    const bit = 1n << BigInt(i)
    of.set(character, (of.get(character) ?? 0n) | bit)
    const pair = characters.slice(i, i + 2).join('')
    const triple = characters.slice(i, i + 3).join('')
    if (EXPANDED_KEYS.has(pair)) pairs |= bit
    if (triple !== pair && EXPANDED_KEYS.has(triple)) triples |= bit
  })
  segment.positions = { characters, of, stars: of.get('*') ?? 0n, anys: of.get('?') ?? 0n, pairs, triples }
  return segment.positions
}

/** The segments that a path must match one by one: the subtree of a literal is written out as `**`. */
function segmentsOf(pattern: PathPattern): string[] {
  const segments = pattern.key.split('/')
  return pattern.kind === 'literal' ? [...segments, '**'] : segments
}

/** Whether two different segments already disagree in what stands before their first or after their last wildcard. */
function endsClash(a: string, b: string): boolean {
  const clashes = (at: (text: string, i: number) => string): boolean => {
    for (let i = 0; ; i++) {
      const p = at(a, i)
      const q = at(b, i)
      if (p === '*' || q === '*' || p === '?' || q === '?') return false
      if (p !== q) return true
    }
  }
  return clashes((text, i) => text.charAt(i)) || clashes((text, i) => text.charAt(text.length - 1 - i))
}

/**
 * Whether some name matches both segments. Reads `a` from left to right; `rows[i]` holds the positions of `b` that a name
 * can have reached which has led to position i of `a`. A row is a few operations on whole bit sets.
 */
function positionsIntersect(a: Positions, b: Positions): boolean {
  const rows = [1n]
  const reach = (i: number, positions: bigint): void => {
    if (positions !== 0n) rows[i] = (rows[i] ?? 0n) | positions
  }
  const end = 1n << BigInt(b.characters.length)
  const canExpandA = b.anys !== 0n && (a.pairs | a.triples) !== 0n
  const canExpandB = (b.pairs | b.triples) !== 0n
  a.characters.forEach((character, i) => {
    const row = afterStars(rows[i] ?? 0n, b)
    if (row === 0n) return
    if (character === '*') {
      // It takes as much of `b` as it likes: reached is all from the first position on. The lowest bit of x is x & -x, and
      // the negative of a single bit is that bit and all above it.
      reach(i + 1, -(row & -row) & (end | (end - 1n)))
      return
    }
    const takers = row & (character === '?' ? end - 1n : (b.of.get(character) ?? 0n) | b.anys)
    reach(i + 1, (takers << 1n) | (row & b.stars))
    if (canExpandB && character === '?') reach(i + 1, ((row & b.pairs) << 2n) | ((row & b.triples) << 3n))
    if (canExpandA) {
      const bit = 1n << BigInt(i)
      if (a.pairs & bit) reach(i + 2, (row & b.anys) << 1n)
      if (a.triples & bit) reach(i + 3, (row & b.anys) << 1n)
    }
  })
  return (afterStars(rows[a.characters.length] ?? 0n, b) & end) !== 0n
}

/** Adds the positions after stars that take nothing more. No two stars stand side by side. */
function afterStars(row: bigint, b: Positions): bigint {
  return row | ((row & b.stars) << 1n)
}

function segmentsIntersect(a: Segment, b: Segment): boolean {
  if (a.text === b.text || a.text === '*' || b.text === '*') return true
  return !endsClash(a.text, b.text) && positionsIntersect(positionsOf(a), positionsOf(b))
}

/** The same sweep one level up, with `**` for the star. */
function pathsIntersect(a: readonly Segment[], b: readonly Segment[]): boolean {
  const down = b.length + 1
  const reached = new Uint8Array((a.length + 1) * down)
  reached[0] = 1
  for (let i = 0; i <= a.length; i++) {
    for (let j = 0; j <= b.length; j++) {
      const at = i * down + j
      if (reached[at] === 0) continue
      const p = a[i]
      const q = b[j]
      if (p?.text === '**' || q?.text === '**') {
        if (p) reached[at + down] = 1
        if (q) reached[at + 1] = 1
      } else if (p && q && segmentsIntersect(p, q)) {
        reached[at + down + 1] = 1
      }
    }
  }
  return reached.at(-1) === 1
}

/** Whether one of two keys without wildcards is the other or an ancestor directory of it ('' is the root). */
function onOneLine(a: string, b: string): boolean {
  const [short, long] = a.length < b.length ? [a, b] : [b, a]
  return long.startsWith(short) && (short === '' || short.length === long.length || long[short.length] === '/')
}

/**
 * Whether some path matches both patterns. Exact and symmetric. Time and memory grow with the product of the two lengths
 * at worst, whatever the patterns.
 */
export function overlaps(a: PathPattern, b: PathPattern): boolean {
  if (!onOneLine(a.prefix, b.prefix)) return false
  if (a.kind === 'literal' && b.kind === 'literal') return true
  const [x = [], y = []] = [a, b].map((pattern) => segmentsOf(pattern).map((text): Segment => ({ text })))
  return pathsIntersect(x, y)
}

/**
 * Whether the wildcard pattern `outer` takes the sequence `inner`, whose own wildcards are symbols that only `star` or
 * `takes` can account for. Going back to the latest star alone is enough, so no pair is looked at twice.
 */
function covers(
  outer: readonly string[],
  inner: readonly string[],
  star: string,
  takes: (outer: string, inner: string) => boolean,
): boolean {
  let i = 0
  let j = 0
  let starAt = -1
  let resumeAt = 0
  while (j < inner.length) {
    const p = outer[i]
    if (p === star) {
      starAt = i++
      resumeAt = j
    } else if (p !== undefined && takes(p, inner[j] ?? '')) {
      i++
      j++
    } else if (starAt >= 0) {
      i = starAt + 1
      j = ++resumeAt
    } else return false
  }
  return outer.slice(i).every((rest) => rest === star)
}

function segmentCovers(outer: string, inner: string): boolean {
  if (outer === inner) return true
  return covers(Array.from(outer), Array.from(inner), '*', (p, q) => p === q || (p === '?' && q !== '*'))
}

/**
 * Whether `inner` lies inside `outer`, for footprints: true only if all that `inner` matches, `outer` matches. A literal
 * inside a glob is the one exception: a footprint names a file, so the path itself must match, not all below it.
 * Sound, not complete: of two globs with the same meaning written differently (`?*`, `*?`) neither need contain the other.
 */
export function contains(outer: PathPattern, inner: PathPattern): boolean {
  return covers(segmentsOf(outer), inner.key.split('/'), '**', (p, q) => q !== '**' && segmentCovers(p, q))
}

/** How a query finds the stored patterns that could overlap: see `prefixProbes`. */
export interface PrefixProbes {
  readonly ancestors: string[]
  readonly ranges: { readonly from: string; readonly to: string }[]
}

/** No prefix begins with this code point: patterns with noncharacters are refused. */
const AFTER_ALL = '\u{10FFFF}'

/**
 * The stored patterns that can overlap one of `patterns` are among those with `prefix = ANY(ancestors)` or with
 * `prefix >= from AND prefix < to` for one of `ranges`, in byte order (`COLLATE "C"`): patterns that meet have prefixes
 * of which one is an ancestor of the other. Nothing is listed twice: what lies below another of `patterns` is left to its
 * range ('/' + 1 is '0', so from `src/` to `src0` is all below `src`).
 */
export function prefixProbes(patterns: readonly PathPattern[]): PrefixProbes {
  const prefixes = new Set(patterns.map((pattern) => pattern.prefix))
  const ancestors = new Set<string>()
  const ranges: { from: string; to: string }[] = []
  for (const prefix of prefixes) {
    const above = properAncestors(prefix)
    if (above.some((ancestor) => prefixes.has(ancestor))) continue
    for (const ancestor of [...above, prefix]) ancestors.add(ancestor)
    ranges.push(prefix === '' ? { from: '', to: AFTER_ALL } : { from: `${prefix}/`, to: `${prefix}0` })
  }
  return { ancestors: [...ancestors], ranges }
}

/** `a/b/c` → '', `a`, `a/b`; the root has none. */
function properAncestors(prefix: string): string[] {
  if (prefix === '') return []
  const segments = prefix.split('/')
  return segments.map((_, i) => segments.slice(0, i).join('/'))
}
