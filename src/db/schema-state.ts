import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { PROJECT } from '../kernel/project.ts'

export const MIGRATIONS_FOLDER = join(PROJECT, 'migrations')

export interface Migration {
  /** Of its file, without `.sql`. */
  readonly name: string
  /** Unix time in milliseconds; also its key in the database. */
  readonly madeAt: number
  readonly hash: string
  readonly statements: readonly string[]
  /** Its file begins with `-- outside a transaction`: for CREATE INDEX CONCURRENTLY and its like. */
  readonly outsideTransaction: boolean
}

const Journal = z.object({ entries: z.array(z.object({ tag: z.string(), when: z.number() })) })

/** The migrations of a folder of drizzle-kit, in order. */
export function knownMigrations(folder: string = MIGRATIONS_FOLDER): readonly Migration[] {
  const { entries } = Journal.parse(JSON.parse(readFileSync(join(folder, 'meta', '_journal.json'), 'utf8')))
  return entries.map(({ tag, when }) => {
    const text = readFileSync(join(folder, `${tag}.sql`), 'utf8')
    return {
      name: tag,
      madeAt: when,
      hash: createHash('sha256').update(text).digest('hex'),
      statements: text.split('--> statement-breakpoint'),
      outsideTransaction: text.startsWith('-- outside a transaction'),
    }
  })
}

/**
 * What the database says of its schema: which migrations it has, and the oldest that a server must know to work with it,
 * which is the comment of the table (a migration after which older servers cannot go on sets it).
 */
export const READ_SCHEMA = `select coalesce(string_agg(created_at::text, ','), '') as applied,
  obj_description('drizzle.__drizzle_migrations'::regclass) as oldest from drizzle.__drizzle_migrations`

export interface SchemaState {
  /** `madeAt` of each, comma-separated. */
  readonly applied: string
  /** `oldest server: <madeAt of a migration>`, or nothing. */
  readonly oldest: string | null
}

export type SchemaVerdict =
  | { readonly kind: 'current' | 'behind' | 'newer'; readonly missing: readonly Migration[] }
  /** Made by a later version that this one cannot work beside. */
  | { readonly kind: 'too new'; readonly missing: readonly Migration[] }

/** Whether a server that knows these migrations can work with a database that is in this state. */
export function judgeSchema(known: readonly Migration[], { applied, oldest }: SchemaState): SchemaVerdict {
  const there = new Set(applied.split(',').map(Number))
  const missing = known.filter(({ madeAt }) => !there.has(madeAt))
  const newest = known.at(-1)?.madeAt ?? 0
  const needed = Number(/^oldest server: (\d+)$/u.exec(oldest ?? '')?.[1] ?? 0)
  if (needed > newest) return { kind: 'too new', missing }
  if (missing.length > 0) return { kind: 'behind', missing }
  return { kind: [...there].some((madeAt) => madeAt > newest) ? 'newer' : 'current', missing }
}
