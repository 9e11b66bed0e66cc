import type { Database, ScopedTx } from '../../src/db/client.ts'
import { journals } from '../../src/journal/schema.ts'

/**
 * Looks at, or changes, the rows of all workspaces, one after the other, and gathers what comes of it. Row-level security
 * lets nobody see two at once, tests included; for one workspace there is `database.write`.
 */
export async function inEveryWorkspace<T>(
  database: Database,
  work: (tx: ScopedTx) => Promise<readonly T[]>,
): Promise<T[]> {
  const all = await database.read({ system: true }, (orm) =>
    orm.select({ id: journals.workspaceId }).from(journals).orderBy(journals.workspaceId),
  )
  const found: T[] = []
  for (const { id } of all) found.push(...(await database.write({ workspace: id }, work)))
  return found
}
