/**
 * How long `overlaps` takes: adversarial pairs at the limits of what parses, and a candidate list as checked under the
 * workspace lock. Run with `npx tsx bench/overlap.ts`; prints milliseconds.
 */
import { contains, overlaps } from '../src/modules/claim/overlap.ts'
import { parsePattern, type PathPattern } from '../src/modules/claim/pattern.ts'

const fill = (unit: string, bytes = 1024): string => unit.repeat(Math.floor(bytes / unit.length))
const segments = (unit: string, count = 64): string => Array.from({ length: count }, () => unit).join('/')

const HARD: Record<string, [string, string]> = {
  '*a*a… with *b*b…': [`${fill('*a', 1022)}*`, `${fill('*b', 1022)}*`],
  '*a*a… with *a*a…c': [fill('*a'), `${fill('*a', 1023)}c`],
  '*a*a… with aaa…b': [fill('*a'), `${fill('a', 1023)}b`],
  '*s*s… with *?*?…': [fill('*s'), fill('*?')],
  '?s?s… with *s*s…': [fill('?s'), fill('*s')],
  '*?s*?s… with ssss…': [fill('*?s'), fill('s')],
  '???… with sss…': [fill('?'), fill('s')],
  '64 x *a*a*a*a with 64 x *b*b*b*b': [segments('*a*a*a*a*a*a*a*'), segments('*b*b*b*b*b*b*b*')],
  '**/*a*/**/… with **/*b*/**/…': [segments('**/*aaaaaaaaaaaa*', 32), segments('**/*bbbbbbbbbbbb*', 32)],
  '**/?s*s/… with **/s?s*/…': [
    segments('**/?sssss*sssssssssssssssss', 32),
    segments('**/s?sssss*ssssssssssssssss', 32),
  ],
  '**/*/**/… with 64 x *': [segments('**/*', 32), segments('*')],
  '64 x ???… with 64 x sss…': [segments('?'.repeat(15)), segments('s'.repeat(15))],
}

function time(rounds: number, work: () => unknown): { median: string; max: string } {
  for (let i = 0; i < 20; i++) work()
  const times = Array.from({ length: rounds }, () => {
    const start = performance.now()
    work()
    return performance.now() - start
  }).sort((a, b) => a - b)
  return { median: (times[rounds >> 1] ?? 0).toFixed(3), max: (times.at(-1) ?? 0).toFixed(3) }
}

const rows: Record<string, unknown> = {}
for (const [name, [left, right]] of Object.entries(HARD)) {
  const a = parsePattern(left)
  const b = parsePattern(right)
  const forward = time(100, () => overlaps(a, b))
  const inside = time(100, () => contains(a, b))
  rows[name] = { overlap: overlaps(a, b), ...forward, 'contains median': inside.median, 'contains max': inside.max }
}
console.table(rows)

const candidates: PathPattern[] = Array.from({ length: 10_000 }, (_, i) =>
  parsePattern(
    [`src/modules/m${i}/store.ts`, `src/modules/m${i}`, `src/**/m${i}*.test.ts`, `src/modules/*/s${i}.ts`][i % 4] ?? '',
  ),
)
const many: Record<string, unknown> = {}
for (const path of ['src/modules/claim/store.ts', 'src/modules', 'src/**/*.test.ts', 'docs/**/*.md', 'src/?odules/x']) {
  const pattern = parsePattern(path)
  many[path] = time(30, () => candidates.filter((candidate) => overlaps(pattern, candidate)))
}
console.log('One pattern against 10,000 candidates:')
console.table(many)
