import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { PROTOCOL, regenerated, REST } from '../scripts/docs/generate.ts'
import { loadConfig } from '../src/config.ts'
import { verifyChain } from '../src/journal/chain.ts'
import type { ExportedEvent } from '../src/journal/event.ts'
import { ERRORS } from '../src/kernel/errors.ts'
import { eventTypes, tools } from '../src/modules/index.ts'
import { clientSetups } from '../src/web/setup.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

const protocol = readFileSync(PROTOCOL, 'utf8')
const readme = read('README.md')
const architecture = read('docs/architecture.md')

/** The text under a heading, up to the next one of any level. */
function section(page: string, heading: string): string {
  const start = page.indexOf(`\n${heading}\n`)
  expect(start, `a section "${heading}"`).toBeGreaterThan(-1)
  const rest = page.slice(start + heading.length + 2)
  return rest.slice(0, /^#/mu.exec(rest)?.index)
}

/** The one fenced block of a language. */
function block(page: string, language: string): string {
  const blocks = [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gmsu'))]
  expect(blocks).toHaveLength(1)
  return blocks[0]?.[1] ?? ''
}

/** The names of an object's fields, those of objects within it too. */
function fieldNames(schema: unknown): string[] {
  if (schema instanceof z.ZodObject) {
    return Object.entries(schema.shape).flatMap(([name, inner]) => [name, ...fieldNames(inner)])
  }
  if (schema instanceof z.ZodArray) return fieldNames(schema.element)
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) return fieldNames(schema.unwrap())
  return []
}

describe('docs/protocol.md', () => {
  test('its generated parts are what the code says now: npm run docs:generate', async () => {
    expect(await regenerated(protocol)).toBe(protocol)
    const rest = readFileSync(REST, 'utf8')
    expect(await regenerated(rest)).toBe(rest)
  })

  test('names every code of the table of errors, and every type of event', () => {
    for (const code of Object.keys(ERRORS)) expect(protocol).toContain(`| \`${code}\``)
    for (const { name } of eventTypes) expect(protocol).toContain(`| \`${name}\``)
  })

  test.each(tools.map((tool) => [tool.name, tool] as const))('explains every field of %s', (name, tool) => {
    const text = section(protocol, `### \`${name}\``)
    const fields = [...fieldNames(tool.input), ...fieldNames(tool.output)].filter((field) => field !== 'agentId')
    expect(fields.filter((field) => !text.includes(`\`${field}\``) && !text.includes(`\`${field}:`))).toEqual([])
  })

  test('has a section for every tool and for no other', () => {
    const sections = [...protocol.matchAll(/^### `(\w+)`$/gmu)].map((m) => m[1] ?? '')
    expect(sections.toSorted()).toEqual(tools.map((tool) => tool.name).toSorted())
  })

  test('its example of a journal verifies, and so does its verifier say', async () => {
    const lines = block(protocol, 'ndjson')
    const events = lines
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as ExportedEvent)
    const verdict = await verifyChain(events)
    expect(verdict).toMatchObject({ ok: true, events: 3 })

    const verify = (input: string) =>
      execFileSync(process.execPath, ['--input-type=module', '-e', block(protocol, 'js')], {
        input,
        encoding: 'utf8',
        stdio: ['pipe', 'pipe', 'pipe'],
      })
    expect(verify(lines)).toBe(`3 events, head ${events[2]?.hash ?? ''}\n`)
    expect(() => verify(lines.replace('"owner"', '"viewer"'))).toThrow('broken at 2')
  })
})

describe('README.md', () => {
  const table = section(readme, '## Configuration')
  const documented = [...table.matchAll(/^\| `([A-Z_]+)` +\| (\S+)/gmu)].map((m) => ({ name: m[1], fallback: m[2] }))

  test('lists the variables that config.ts reads, in its order', () => {
    const known = [...read('src/config.ts').matchAll(/^ {2}([A-Z_]+): /gmu)].map((m) => m[1])
    expect(documented.map(({ name }) => name)).toEqual(known)
  })

  test('gives the defaults that are in force', () => {
    const { port, publicUrl, signup, logLevel, trustProxy, dataDir } = loadConfig({})
    const fallback = (name: string) => documented.find((row) => row.name === name)?.fallback
    expect(fallback('PORT')).toBe(`\`${port}\``)
    expect(fallback('PUBLIC_URL')).toBe(`\`${publicUrl.replace(String(port), '<PORT>')}\``)
    expect(fallback('SIGNUP')).toBe(`\`${signup}\``)
    expect(fallback('LOG_LEVEL')).toBe(`\`${logLevel}\``)
    expect(fallback('TRUST_PROXY')).toBe(`\`${trustProxy}\``)
    expect(join(process.cwd(), fallback('DATA_DIR')?.replaceAll('`', '') ?? '')).toBe(dataDir)
  })

  test('connects each client as the start page does', () => {
    for (const { client, commands } of clientSetups('http://localhost:7300')) {
      expect(readme).toContain(`| ${client}`)
      for (const command of commands) expect(readme).toContain(`\`${command}\``)
    }
  })

  test('lists every tool', () => {
    for (const { name } of tools) expect(section(readme, '## Tools')).toContain(`| \`${name}\``)
  })
})

describe('docs/architecture.md', () => {
  test('gives a reason for the pin of every package', () => {
    const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string>>
    const kinds = ['dependencies', 'devDependencies', 'optionalDependencies'] as const
    const packages = kinds.flatMap((kind) => Object.entries(manifest[kind] ?? {}))
    const rows = [...section(architecture, '## Dependencies').matchAll(/^\| `(\S+)` +\| (\S+) +\| \S/gmu)]
    expect(rows.map((m) => `${m[1]} ${m[2]}`).toSorted()).toEqual(packages.map((entry) => entry.join(' ')).toSorted())
  })
})

test('links within the documents lead somewhere', () => {
  for (const page of [
    'README.md',
    'docs/protocol.md',
    'docs/rest.md',
    'docs/architecture.md',
    'docs/security.md',
    'docs/operations.md',
    'docs/scaling.md',
    'CHANGELOG.md',
  ]) {
    const links = [...read(page).matchAll(/\]\((?!https?:)([^)]*)\)/gu)].map((m) => m[1] ?? '')
    for (const link of links) {
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? page : join(dirname(page), path)
      expect(existsSync(join(ROOT, target)), `${page}: ${link}`).toBe(true)
      if (anchor === undefined) continue
      const anchors = [...read(target).matchAll(/^#+ (.*)$/gmu)].map((m) =>
        (m[1] ?? '')
          .toLowerCase()
          .replace(/[^\w\- ]/gu, '')
          .replaceAll(' ', '-'),
      )
      expect(anchors, `${page}: ${link}`).toContain(anchor)
    }
  }
})

test('every npm script that a document or CI names exists', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  for (const page of [
    'README.md',
    'docs/protocol.md',
    'docs/architecture.md',
    'docs/security.md',
    'docs/operations.md',
    'docs/scaling.md',
    'CHANGELOG.md',
    '.ci/run',
  ]) {
    const named = [...read(page).matchAll(/npm run ([a-z][a-z:]*)/gu)].map((m) => m[1] ?? '')
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([])
  }
})
