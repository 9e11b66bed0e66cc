/** The security checklist, docs/security.md: each row has a test that says which section it holds, or a reason. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const security = readFileSync(join(ROOT, 'docs/security.md'), 'utf8')

const rows = [
  ...security.matchAll(/^\| (S-\d\d) +\| .+? +\| (tested|decided otherwise|does not apply)(.*?) +\|$/gmu),
].map(([, id = '', how = '', reason = '']) => ({ id, how, reason }))

/** What the names of our tests say at their end, such as (S-26, RFC 9700 §4.14.2) there. */
const named = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts'))
  .flatMap((file) => {
    const names = readFileSync(join(ROOT, 'test', file), 'utf8').matchAll(/\((S-\d\d[^()]*)\)['`"]/gu)
    return [...names].map(([, words = '']) => ({ file, words, ids: words.match(/S-\d\d/gu) ?? [] }))
  })

const tested = new Set(named.flatMap(({ ids }) => ids))

test('the table has S-01 to S-49, each once and in order', () => {
  const ids = Array.from({ length: 49 }, (_, index) => `S-${String(index + 1).padStart(2, '0')}`)
  expect(rows.map(({ id }) => id)).toEqual(ids)
})

test('every row has a test named after it, or says in the table why it has none', () => {
  const untested = rows.filter(({ id, how }) => how !== 'does not apply' && !tested.has(id))
  expect(untested.map(({ id }) => id)).toEqual([])
  const unexplained = rows.filter(({ how, reason }) => how !== 'tested' && reason.length < 20)
  expect(unexplained.map(({ id }) => id)).toEqual([])
})

test('what does not apply has no test: a row that has become stale is found', () => {
  const stale = rows.filter(({ id, how }) => how === 'does not apply' && tested.has(id))
  expect(stale.map(({ id }) => id)).toEqual([])
})

test('a test that names a row names the section of the standard too', () => {
  const section = /^(?:S-\d\d, )+(?:(?:RFC \d{4}|OAuth 2\.1|CIMD) §\d[\d.]*|ASVS \d[\d.]*|MCP [\w ,.-]+)$/u
  expect(named.filter(({ words }) => !section.test(words)).map(({ file, words }) => `${file}: ${words}`)).toEqual([])
})

test('the files that the document names are there', () => {
  const paths = [...security.matchAll(/`((?:src|test|migrations)\/[\w/.-]+)`/gu)].map(([, path = '']) => path)
  expect(paths.length).toBeGreaterThan(30)
  expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
})
