/**
 * What a migration must not do while servers of the version before serve, unless it says why it may:
 *
 *     -- safe: the table is new in this version and has no rows
 *     ALTER TABLE …
 *
 * Statement by statement, by its words: it knows what is written and not what is there, so the reason is a person's.
 */

/** `made`: tables that this migration makes itself, which nobody uses yet. */
interface Rule {
  readonly matches: (statement: string, made: ReadonlySet<string>) => boolean
  readonly why: string
}

/** The table of ALTER TABLE, CREATE INDEX … ON, LOCK TABLE, UPDATE or DELETE FROM; in lower case, without quotes. */
function tableOf(statement: string): string {
  const named =
    /^(?:alter table(?: only)?(?: if exists)?|lock table|update|delete from|create (?:unique )?index.*? on(?: only)?) +([\w.]+)/u
  return named.exec(statement)?.[1] ?? ''
}

const onOld = (pattern: RegExp) => (statement: string, made: ReadonlySet<string>) =>
  pattern.test(statement) && !made.has(tableOf(statement))

const RULES: readonly Rule[] = [
  {
    matches: onOld(/^alter table .*\balter (?:column )?\w+ (?:set data )?type\b/u),
    why: 'rewrites the table under its strongest lock; add a new column, write both, move the rows, drop the old one later',
  },
  {
    matches: onOld(
      /^alter table .*\badd (?:column )?(?!constraint)(?:if not exists )?\w+ (?!.*\bdefault\b).*\bnot null\b/u,
    ),
    why: 'fails where there are rows, and for inserts of the version before; give it a constant default',
  },
  {
    matches: onOld(
      /^alter table .*\badd (?:column )?.*\bdefault\b[^,]*\b(?:clock_timestamp|gen_random_uuid|random|nextval|uuidv7)\b/u,
    ),
    why: 'a default that differs by row rewrites the table under its strongest lock; add it without, fill it in parts',
  },
  {
    matches: onOld(/^alter table .*\bset not null\b/u),
    why: 'reads the whole table under its strongest lock; CHECK (… IS NOT NULL) NOT VALID, VALIDATE later, then this',
  },
  {
    matches: onOld(/^create (?:unique )?index (?!concurrently)/u),
    why: 'keeps everybody from writing while it reads the table; CONCURRENTLY, in a migration `-- outside a transaction`',
  },
  {
    matches: onOld(/^alter table .*\badd (?:constraint \w+ )?(?:check|foreign key)\b(?!.*\bnot valid\b)/u),
    why: 'reads the whole table under its strongest lock; NOT VALID now, VALIDATE CONSTRAINT in a later migration',
  },
  {
    matches: onOld(/^alter table .*\badd (?:constraint \w+ )?(?:primary key|unique)\b(?!.*\busing index\b)/u),
    why: 'builds an index under the strongest lock; build it CONCURRENTLY first, then ADD CONSTRAINT … USING INDEX',
  },
  {
    matches: onOld(/^alter table .*\b(?:rename|drop (?:column )?(?!constraint|default|not null)\w)/u),
    why: 'the version before still reads and writes it; stop using it in one version, take it away in the next',
  },
  {
    matches: (statement) => /^drop table\b/u.test(statement),
    why: 'the version before still uses it; drop it one version later',
  },
  {
    matches: onOld(/^(?:update|delete from)\b/u),
    why: 'locks every row that it changes until the migration ends, and finds none in tenants’ tables; do it in parts, after',
  },
  { matches: onOld(/^lock table\b/u), why: 'everybody waits until the migration ends' },
  { matches: (statement) => /^(?:vacuum full|cluster|truncate)\b/u.test(statement), why: 'nobody can read meanwhile' },
]

const SAFE = /^--[ \t]*safe:[ \t]*\S.{9,}$/imu
const OUTSIDE = '-- outside a transaction'

/** What is wrong with a migration, one sentence each; nothing where it may run while the version before serves. */
export function dangersOf(migration: string): string[] {
  const statements = migration.split('--> statement-breakpoint').flatMap(splitStatements)
  const made = new Set(
    statements.flatMap(({ text }) => /^create (?:unlogged )?table (?:if not exists )?([\w.]+)/u.exec(text)?.[1] ?? []),
  )
  const outside = migration.startsWith(OUTSIDE)
  return statements.flatMap(({ text, safe }) => {
    const concurrent = /^(?:create (?:unique )?index|drop index|reindex .*) concurrently\b/u.test(text)
    const place =
      concurrent === outside
        ? []
        : [
            concurrent
              ? 'CONCURRENTLY needs a migration that begins with `-- outside a transaction`'
              : 'a migration outside a transaction holds nothing but CONCURRENTLY: the rest would be half done after a failure',
          ]
    const broken = safe ? [] : RULES.filter(({ matches }) => matches(text, made)).map(({ why }) => why)
    return [...place, ...broken].map((why) => `${text.slice(0, 80)}: ${why}`)
  })
}

/** Statements in lower case, on one line, without quotes and comments; whether a comment before one says that it is safe. */
function splitStatements(part: string): { text: string; safe: boolean }[] {
  // A body between dollar quotes is one thing: what is in it runs when it is called.
  const withoutBodies = part.replace(/\$(\w*)\$.*?\$\1\$/gsu, "''")
  return withoutBodies.split(';').flatMap((raw) => {
    const text = raw.replace(/--.*$/gmu, '').replace(/"/gu, '').replace(/\s+/gu, ' ').trim().toLowerCase()
    return text === '' ? [] : [{ text, safe: SAFE.test(raw) }]
  })
}
