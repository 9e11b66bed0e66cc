import { execFile } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { sql } from 'drizzle-orm'
import type { Database } from '../../src/db/client.ts'
import { cpuMsOfFamily } from './cpu.ts'

const run = promisify(execFile)

/** What pgbench's scripts work on: a schema of its own, without row-level security, triggers or anything of ours. */
const SCHEMA = `
  create schema bench;
  create table bench.workspaces (
    id integer primary key, seq bigint not null, hash bytea not null, clock timestamptz not null);
  create table bench.claims (
    workspace_id integer not null, id bigint generated always as identity, session_id text not null,
    path text collate "C" not null, mode text not null, fence bigint not null, expires_at timestamptz not null,
    primary key (workspace_id, id));
  create index on bench.claims (workspace_id, path);
  create table bench.sessions (
    workspace_id integer not null, id integer not null, agent_id text not null, state jsonb,
    last_seen_at timestamptz not null, primary key (workspace_id, id));
  create table bench.held (like bench.claims including all);
`

const hash = `decode('0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef', 'hex')`

/** Nothing less is a claim: the workspace is locked and moves on, the claim is there, and both are on the disk. */
export const CLAIM_STATEMENTS = `BEGIN;
UPDATE bench.workspaces SET seq = seq + 1, hash = ${hash}, clock = clock_timestamp() WHERE id = :workspace;
INSERT INTO bench.claims (workspace_id, session_id, path, mode, fence, expires_at) VALUES (:workspace, 'ses_' || :client_id, 'src/' || :client_id || '/file-' || :path || '.ts', 'exclusive', :path, clock_timestamp() + interval '15 minutes');
END;
`

/** Nothing less is the team's state: one moment of the workspace, its agents, and their claims. */
export const READ_STATEMENTS = `BEGIN READ ONLY;
SELECT seq, hash FROM bench.workspaces WHERE id = :workspace;
SELECT s.*, c.* FROM bench.sessions s LEFT JOIN bench.held c ON c.workspace_id = s.workspace_id AND c.fence = s.id WHERE s.workspace_id = :workspace;
END;
`

export interface Pgbench {
  /** Transactions of a claim, over so many workspaces. */
  claims(workspaces: number, clients: number, seconds: number): Promise<PgbenchResult>
  /** Reads of the team's state. */
  reads(workspaces: number, clients: number, seconds: number): Promise<PgbenchResult>
}

export interface PgbenchResult {
  readonly perSecond: number
  readonly meanMs: number
  /** Microseconds of PostgreSQL's processor time for one transaction. */
  readonly postgresUs: number
}

/** Why rows are left out. */
export const NO_PGBENCH =
  'pgbench is missing (Debian: apt-get install postgresql-contrib), and what is compared with it is left out'

/** pgbench's path, from Debian's postgresql-contrib or postgresql-<version>, or on the PATH; null where it is missing. */
export async function findPgbench(): Promise<string | null> {
  let versions: string[] = []
  try {
    versions = readdirSync('/usr/lib/postgresql')
  } catch {
    // Not Debian.
  }
  const debian = versions.toSorted((a, b) => Number(b) - Number(a)).map((v) => `/usr/lib/postgresql/${v}/bin/pgbench`)
  for (const path of [...debian, 'pgbench']) {
    const works = await run(path, ['--version']).then(
      () => true,
      () => false,
    )
    if (works) return path
  }
  return null
}

export async function preparePgbench(
  path: string,
  to: {
    database: Database
    target: { host: string; password: string }
    directory: string
    postmasterPid: number
    /** As many agents with a claim each as the workspaces have that the product is asked for. */
    agentsEach: number
  },
): Promise<Pgbench> {
  const { database, target, directory, postmasterPid, agentsEach } = to
  await database.query(async (orm) => {
    for (const statement of SCHEMA.split(';').filter((part) => part.trim() !== ''))
      await orm.execute(sql.raw(statement))
    await orm.execute(
      sql.raw(`insert into bench.workspaces select n, 0, ${hash}, clock_timestamp() from generate_series(1, 100) n`),
    )
    await orm.execute(
      sql.raw(`insert into bench.sessions select w, a, 'bench-' || a, '{"objective": "Add a field to the form"}', clock_timestamp()
        from generate_series(1, 100) w, generate_series(1, ${agentsEach}) a`),
    )
    await orm.execute(
      sql.raw(`insert into bench.held (workspace_id, session_id, path, mode, fence, expires_at)
        select w, 'ses_' || a, 'kept/' || a, 'exclusive', a, clock_timestamp() + interval '1 hour'
        from generate_series(1, 100) w, generate_series(1, ${agentsEach}) a`),
    )
    await orm.execute(sql.raw('analyze bench.workspaces, bench.sessions, bench.held'))
  })

  async function measure(name: string, script: string, clients: number, seconds: number): Promise<PgbenchResult> {
    const file = join(directory, `${name}.sql`)
    writeFileSync(file, script)
    const threads = Math.min(2, clients)
    const args = [
      '-n',
      '-M',
      'prepared',
      '-c',
      clients,
      '-j',
      threads,
      '-T',
      Math.max(1, Math.round(seconds)),
      '-f',
      file,
    ]
    const env = { ...process.env, PGHOST: target.host, PGPASSWORD: target.password, PGUSER: 'orkestrate' }
    const before = cpuMsOfFamily(postmasterPid)
    const { stdout } = await run(path, [...args.map(String), 'orkestrate'], { env })
    const cpuMs = cpuMsOfFamily(postmasterPid) - before
    const said = (pattern: RegExp) => Number(pattern.exec(stdout)?.[1])
    const failed = said(/number of failed transactions: (\d+)/u)
    const count = said(/number of transactions actually processed: (\d+)/u)
    if (!(count > 0) || failed > 0) throw new Error(`pgbench failed:\n${stdout}`)
    return {
      perSecond: said(/tps = ([\d.]+)/u),
      meanMs: said(/latency average = ([\d.]+)/u),
      postgresUs: (cpuMs * 1_000) / count,
    }
  }

  const anyOf = (workspaces: number) => `\\set workspace random(1, ${workspaces})\n`
  return {
    claims: (workspaces, clients, seconds) =>
      measure('claim', `${anyOf(workspaces)}\\set path random(1, 1000000000)\n${CLAIM_STATEMENTS}`, clients, seconds),
    reads: (workspaces, clients, seconds) => measure('read', anyOf(workspaces) + READ_STATEMENTS, clients, seconds),
  }
}
