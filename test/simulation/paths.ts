import { parsePattern, type PathPattern } from '../../src/modules/claim/pattern.ts'

/**
 * A small world of files, and what patterns mean in it, found by trying every file. Knows nothing of the product's
 * overlap: the simulation judges by this.
 */
const NAMES = ['a', 'b', 'c.ts', 'd.test.ts']

/** Every path of up to four segments: a file below each that a pattern names. */
const FILES: readonly string[] = [1, 2, 3, 4].flatMap(pathsOf)

function pathsOf(depth: number): string[] {
  if (depth === 0) return ['']
  return pathsOf(depth - 1).flatMap((parent) => NAMES.map((name) => (parent === '' ? name : `${parent}/${name}`)))
}

/** What agents claim: nested and equal paths, other spellings, globs that meet and globs that do not. */
export const PATTERNS: readonly PathPattern[] = [
  'a',
  'A/b',
  'a/b/c.ts',
  'a/c.ts',
  'b',
  'b/a',
  'B/A/**',
  'c.ts',
  'b/b/d.test.ts',
  'a/a',
  '**/*.test.ts',
  'a/**/*.ts',
  '*/b',
  'a/*',
  '?/c.ts',
  'b/**/b',
  '**/c.ts',
  'b/?/*.ts',
].map(parsePattern)

/** The files that a pattern matches, as bits of FILES. */
const matched = new Map<string, bigint>(PATTERNS.map((pattern) => [pattern.display, filesOf(pattern)]))

export function filesMatched(patterns: readonly Pick<PathPattern, 'display'>[]): bigint {
  return patterns.reduce((bits, { display }) => bits | (matched.get(display) ?? 0n), 0n)
}

/** The one file that a literal names, without what is below it. */
export function fileNamed({ display }: Pick<PathPattern, 'display'>): bigint {
  return 1n << BigInt(FILES.indexOf(display.toLowerCase()))
}

function filesOf({ display }: PathPattern): bigint {
  const isGlob = /[*?]/u.test(display)
  const pattern = (isGlob ? display : `${display}/**`).toLowerCase().split('/')
  return FILES.reduce(
    (bits, file, index) => (matches(pattern, file.toLowerCase().split('/')) ? bits | (1n << BigInt(index)) : bits),
    0n,
  )
}

/** By definition, one segment after the other. A trailing `**` also stands for nothing. */
function matches(pattern: readonly string[], path: readonly string[]): boolean {
  const [first, ...rest] = pattern
  if (first === undefined) return path.length === 0
  if (first === '**') return matches(rest, path) || (path.length > 0 && matches(pattern, path.slice(1)))
  const [name, ...below] = path
  return name !== undefined && segmentMatches(first, name) && matches(rest, below)
}

function segmentMatches(pattern: string, name: string): boolean {
  if (pattern === '') return name === ''
  if (pattern.startsWith('*'))
    return segmentMatches(pattern.slice(1), name) || (name !== '' && segmentMatches(pattern, name.slice(1)))
  return (
    name !== '' &&
    (pattern.startsWith('?') || pattern[0] === name[0]) &&
    segmentMatches(pattern.slice(1), name.slice(1))
  )
}
