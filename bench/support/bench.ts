import { join } from 'node:path'
import type { ConnectionTarget } from '../../src/db/client.ts'
import { postmasterOf, removeDirectories, temporaryDirectory } from './directories.ts'
import { startLoad, type Load } from './load.ts'
import { endAll, startServer, type Server } from './processes.ts'
import { findPgbench, preparePgbench, type Pgbench } from './pgbench.ts'
import { createWorld, embeddedTarget, type World } from './world.ts'
import type { Agent } from '../load/agents.ts'

/** How much is measured; the quick form only finds out that all of it still works. */
export interface Scale {
  readonly quick: boolean
  readonly repeats: number
  /** Of one segment of a comparison; a row may take some of it more or less. */
  readonly seconds: number
  /** Connections of the rows about throughput: as many as agents that call at the same moment. */
  readonly connections: number
  readonly workspaces: number
  readonly agentsEach: number
  readonly claimCounts: readonly number[]
  readonly streamCounts: readonly number[]
  readonly starts: number
  readonly chainEvents: number
  readonly patience: number
}

export const FULL: Scale = {
  quick: false,
  repeats: 5,
  seconds: 2,
  connections: 32,
  workspaces: 100,
  agentsEach: 4,
  claimCounts: [10, 100, 1_000, 10_000],
  streamCounts: [1_000, 5_000],
  starts: 5,
  chainEvents: 100_000,
  patience: 0,
}

export const QUICK: Scale = {
  quick: true,
  repeats: 1,
  seconds: 0.3,
  connections: 4,
  workspaces: 8,
  agentsEach: 2,
  claimCounts: [10, 60],
  streamCounts: [20, 60],
  starts: 1,
  chainEvents: 2_000,
  patience: 40,
}

/** The server as `npm start` runs it, with its own PostgreSQL, and what is in it. */
export interface Product {
  readonly server: Server
  readonly target: ConnectionTarget & { host: string; password: string }
  readonly postmasterPid: number
  readonly world: World
  /** One list for each workspace: agents that joined, and hold one claim each. */
  readonly teams: readonly (readonly Agent[])[]
  /** null where pgbench is missing: rows that need it are left out, and the report says so. */
  readonly pgbench: Pgbench | null
}

/** What rows get. Whatever is started here ends with the bench. */
export interface Bench {
  readonly scale: Scale
  readonly directory: string
  readonly load: Load
  /** Made when first asked for. */
  product(): Promise<Product>
  /** Another server, a target of ours, on the product's database. */
  target(script: 'app' | 'mcp' | 'hand-written', own?: object, flags?: readonly string[]): Promise<Server>
  logFile(name: string): string
  close(): Promise<void>
}

export function openBench(scale: Scale): Bench {
  const directory = temporaryDirectory('work')
  const load = startLoad(scale.patience)
  let made: Promise<Product> | null = null
  let targets = 0
  const logFile = (name: string) => join(directory, `${name}.log`)
  const product = async () => (made ??= makeProduct(scale, directory, load))
  return {
    scale,
    directory,
    load,
    product,
    logFile,
    async target(script, own = {}, flags = []) {
      const { target } = await product()
      targets += 1
      return startServer({
        script: `bench/targets/${script}.ts`,
        env: { BENCH: JSON.stringify({ target, ...own }), LOG_LEVEL: 'warn' },
        flags,
        logFile: logFile(`${script}-${targets}`),
      })
    },
    async close() {
      load.stop()
      const { world } = (await made?.catch(() => null)) ?? {}
      await world?.close().catch(() => undefined)
      await endAll()
      await removeDirectories()
    },
  }
}

async function makeProduct(scale: Scale, directory: string, load: Load): Promise<Product> {
  const dataDir = temporaryDirectory('data')
  const env = { DATA_DIR: dataDir }
  const server = await startServer({ script: 'src/main.ts', env, logFile: join(directory, 'server.log') })
  const target = embeddedTarget(dataDir)
  const postmasterPid = postmasterOf(dataDir) ?? NaN
  const world = createWorld(target, load)
  const teams = await world.found(server.port, scale.workspaces, scale.agentsEach)
  const path = await findPgbench()
  const to = { database: world.database, target, directory, postmasterPid, agentsEach: scale.agentsEach }
  const pgbench = path === null ? null : await preparePgbench(path, to)
  await world.analyze()
  return { server, target, postmasterPid, world, teams, pgbench }
}
