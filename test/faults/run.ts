/**
 * Real agents over HTTP, on a server that is killed with -9 at random, as is its PostgreSQL; and afterwards the
 * question whether anybody was ever told something wrong.
 */
import { createRandom } from '../support/random.ts'
import { deploy } from './deployment.ts'
import { injectFaults, type Faults } from './injector.ts'
import { signIn } from './sign-in.ts'
import { openWorkload, type Judgement } from './workload.ts'

export interface FaultRunOptions {
  readonly seed: number
  readonly durationMs: number
  /** One runs on a PostgreSQL of its own; several are replicas on one database, and any request goes to any of them. */
  readonly servers: number
  readonly workspaces: number
  readonly clientsPerWorkspace: number
  readonly log?: (line: string) => void
}

export interface FaultReport extends Judgement {
  readonly faults: Faults
}

/** @throws Error when the run itself fails: the server does not come up again, or answers what no client expects */
export async function runWithFaults(options: FaultRunOptions): Promise<FaultReport> {
  const { seed, durationMs, log = () => undefined } = options
  const random = createRandom(seed)
  const deployment = await deploy(options.servers)
  const { origins } = deployment
  const publicUrl = origins[0] ?? ''
  try {
    await deployment.ready()
    const person = await signIn(publicUrl)
    const { workspaces, clientsPerWorkspace } = options
    const workload = await openWorkload({ person, origins, workspaces, clientsPerWorkspace, random })
    log(`${origins.length} server(s), ${workspaces} workspaces, ${clientsPerWorkspace} agents each; seed ${seed}`)

    const endsAt = performance.now() + durationMs
    const isOver = () => performance.now() > endsAt
    const progress = setInterval(() => log(workload.progress()), 10_000)
    const [faults] = await Promise.all([
      injectFaults(deployment, random.fork('injector'), isOver),
      person.keepTokens(isOver),
      workload.work(isOver),
    ]).finally(() => clearInterval(progress))
    await deployment.ready()
    log(`stopped: ${workload.progress()}; checking`)

    const judgement = await workload.judge()
    const crashes = deployment.crashes().map((crash) => `a server crashed by itself: ${crash}`)
    return { ...judgement, faults, violations: [...crashes, ...judgement.violations] }
  } catch (error) {
    log(deployment.output())
    throw error
  } finally {
    await deployment.stop()
  }
}
