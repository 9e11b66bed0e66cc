import type postgres from 'postgres'

/** Row-level security would not hold here; the message says why and what to do. For the operator, never for a caller. */
export class RowSecurityError extends Error {
  override readonly name = 'RowSecurityError'
}

const WHY = 'Row-level security is the wall between workspaces, and between people, inside the database'

/** @throws RowSecurityError when the role of this connection is not bound by row-level security. */
export async function assertRoleIsBound(sql: postgres.Sql): Promise<void> {
  const [role] = await sql<{ name: string; isSuper: boolean; mayBypass: boolean; setting: string; database: string }[]>`
    select rolname as name, rolsuper as "isSuper", rolbypassrls as "mayBypass",
           current_setting('row_security') as setting, current_database() as database
    from pg_roles where rolname = current_user`
  if (role === undefined) throw new RowSecurityError('The database does not know the role of this connection.')
  if (role.isSuper || role.mayBypass) {
    throw new RowSecurityError(
      `The database role "${role.name}" ${role.isSuper ? 'is a superuser' : 'has BYPASSRLS'}. ${WHY}, and it does not bind ` +
        'such a role, so the server does not start with it. Give the server a role of its own that owns its database ' +
        "(docker/create-role.sh does this), and name it in DATABASE_URL: CREATE ROLE orkestrate LOGIN PASSWORD '…'; " +
        `CREATE DATABASE orkestrate OWNER orkestrate. If "${role.name}" is the server's own: ` +
        `ALTER ROLE "${role.name}" NOSUPERUSER NOBYPASSRLS.`,
    )
  }
  if (role.setting !== 'on') {
    throw new RowSecurityError(
      `row_security is ${role.setting} for the database role "${role.name}". ${WHY}: with this setting PostgreSQL refuses ` +
        `every statement that it would hold back. Take the setting away: ALTER ROLE "${role.name}" RESET row_security; ` +
        `ALTER DATABASE "${role.database}" RESET row_security; and in the options of DATABASE_URL, if it is there.`,
    )
  }
}

/** @throws RowSecurityError when a table with rows of workspaces, or of people's logs, is not held to it: somebody switched it off. */
export async function assertTablesAreWalled(sql: postgres.Sql): Promise<void> {
  const open = await sql<{ name: string }[]>`
    select relname as name from pg_class
    where relnamespace::regnamespace::text = any (current_schemas(false)) and relkind in ('r', 'p')
      and (relname in ('workspaces', 'account_logs', 'account_entries') or exists (
        select from pg_attribute where attrelid = pg_class.oid and attname = 'workspace_id' and not attisdropped))
      and not (relrowsecurity and relforcerowsecurity)
    order by relname`
  if (open.length === 0) return
  const names = open.map(({ name }) => `"${name}"`)
  const remedies = names.map((name) => `ALTER TABLE ${name} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;`)
  throw new RowSecurityError(
    `These tables hold rows of workspaces, or of people’s logs, and are not under forced row-level security: ${names.join(', ')}. ${WHY}; the ` +
      `migrations switch it on, so somebody switched it off, or forgot it in a migration. Switch it on: ${remedies.join(' ')}`,
  )
}

/** The triggers that keep logs append-only (migrations/0005_account_log.sql), by table. */
const APPEND_ONLY = {
  account_entries: ['append_only'],
  account_logs: ['append_only', 'append_only_forward'],
  events: ['append_only', 'append_only_whole'],
  journals: ['append_only', 'append_only_forward'],
} as const

/** @throws RowSecurityError when what is on record could be changed: somebody switched a trigger off, or dropped it. */
export async function assertLogsAreAppendOnly(sql: postgres.Sql): Promise<void> {
  const guarding = await sql<{ name: string }[]>`
    select relname || '.' || tgname as name from pg_trigger join pg_class on pg_class.oid = tgrelid
    where relnamespace::regnamespace::text = any (current_schemas(false)) and tgenabled = 'A'`
  const there = new Set(guarding.map(({ name }) => name))
  const missing = Object.entries(APPEND_ONLY).flatMap(([table, triggers]) =>
    triggers.filter((trigger) => !there.has(`${table}.${trigger}`)).map((trigger) => ({ table, trigger })),
  )
  if (missing.length === 0) return
  const remedies = missing.map(({ table, trigger }) => `ALTER TABLE "${table}" ENABLE ALWAYS TRIGGER "${trigger}";`)
  throw new RowSecurityError(
    'What is on record in journals and account logs could be changed or deleted: the triggers that refuse it are not ' +
      `switched on. The migrations switch them on, so somebody switched them off. Switch them on: ${remedies.join(' ')}`,
  )
}
