/**
 * `npm run docs:generate`: writes the parts of docs/ that the code knows better, between `<!-- generated: name -->` and
 * `<!-- end -->`. test/docs.test.ts fails when they are not current.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'
import {
  accountEntryTable,
  adjustableTable,
  boundTable,
  errorTable,
  eventTable,
  operationTable,
  permissionTable,
  resourceTable,
} from './tables.ts'
import { restExamples } from './rest.ts'
import { intentTable, workflowSection } from './workflow.ts'

const page = (name: string) => fileURLToPath(new URL(`../../docs/${name}`, import.meta.url))

export const PROTOCOL = page('protocol.md')
export const REST = page('rest.md')

const BLOCKS: Readonly<Record<string, () => string>> = {
  intents: intentTable,
  workflow: workflowSection,
  errors: errorTable,
  bounds: boundTable,
  adjustable: adjustableTable,
  events: eventTable,
  accountEntries: accountEntryTable,
  examples: restExamples,
  operations: operationTable,
  permissions: permissionTable,
  resources: resourceTable,
}

/** The page with its generated parts made anew; everything else as it is. Throws for a part that nobody knows. */
export async function regenerated(page: string): Promise<string> {
  const filled = page.replace(
    /(<!-- generated: (\w+) -->\n)(?:(?!<!-- generated).)*?(<!-- end -->)/gsu,
    (_all, open, name, end) => {
      const make = BLOCKS[String(name)]
      if (make === undefined) throw new Error(`nothing generates "${String(name)}"`)
      return `${String(open)}\n${make()}\n\n${String(end)}`
    },
  )
  return format(filled, { ...(await resolveConfig(PROTOCOL)), filepath: PROTOCOL })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const path of [PROTOCOL, REST]) writeFileSync(path, await regenerated(readFileSync(path, 'utf8')))
}
