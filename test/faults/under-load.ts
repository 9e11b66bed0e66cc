import { setTimeout as delay } from 'node:timers/promises'
import { createRandom } from '../support/random.ts'
import { ms, percentile } from './figures.ts'
import { follow, followerFaults, type Follower } from './follower.ts'
import { startProbe, type Probe, type Sample } from './probe.ts'
import type { ScenarioContext, Verdict } from './scenario.ts'
import { openStage, type Stage, type StageOptions } from './stage.ts'
import { readJournal } from './room.ts'
import { openWorkload } from './workload.ts'

/** What a fault is done to: a server at work, and somebody who watches how it answers. */
export interface Scene {
  readonly stage: Stage
  readonly probe: Probe
}

const WORKSPACES = 2
const CLIENTS = 3
const FOLLOWERS = 2
const PROBE_MS = 250

/**
 * Targets, which a machine with other work may miss: a write that begins after the fault is over is acknowledged within
 * 5 s, a call that nobody can serve is refused within 2 s.
 */
const RECOVERY_TARGET_MS = 5_000
export const REFUSED_TARGET_MS = 2_000

/** Agents repeat a call until it is answered; so long after the fault every one of them has been. */
const UNANSWERED_MS = 180_000

/** What no machine explains. A call may take 8 s in all before it is told that it failed, and two of these waits. */
const HANG_BOUND_MS = 29_000

/**
 * Does something to a stage on which agents work, event streams are read, and a probe calls steadily. In the end all of it
 * is judged: histories are linearizable, nothing acknowledged is lost, every stream had every event once and in order, the
 * server did not end by itself.
 */
export async function underLoad(
  context: ScenarioContext,
  options: StageOptions,
  fault: (scene: Scene) => Promise<Verdict>,
): Promise<Verdict> {
  const stage = await openStage(options)
  try {
    return await onStage(stage, context, fault)
  } catch (error) {
    context.log(stage.server.output().slice(-3_000))
    throw error
  } finally {
    await stage.stop()
  }
}

async function onStage(
  stage: Stage,
  context: ScenarioContext,
  fault: (scene: Scene) => Promise<Verdict>,
): Promise<Verdict> {
  const { server, person } = stage
  const { origin } = server
  const token = () => person.accessToken()
  const workload = await openWorkload({
    person,
    origins: [origin],
    workspaces: WORKSPACES,
    clientsPerWorkspace: CLIENTS,
    random: createRandom(context.seed),
  })
  const probed = await person.createWorkspace('probed')
  const watched = [...workload.workspaceIds, probed]
  const followers = watched.flatMap((workspaceId) =>
    Array.from({ length: FOLLOWERS }, () => ({ workspaceId, follower: follow({ origin, workspaceId, token }) })),
  )
  const probe = startProbe({ origin, workspaceId: probed, token, everyMs: PROBE_MS })
  let over = false
  const working = workload.work(() => over)
  // Where the fault itself fails, that is what is told.
  working.catch(() => undefined)
  try {
    const verdict = await fault({ stage, probe }).finally(() => {
      over = true
    })
    await probe.stop()
    await server.ready()
    const finished = await Promise.race([working.then(() => true), delay(UNANSWERED_MS, false, { ref: false })])
    if (!finished) throw new Error(`agents are without an answer ${ms(UNANSWERED_MS)} after the fault`)
    const judgement = await workload.judge()
    const violations = [
      ...verdict.violations,
      ...judgement.violations,
      ...(await probedFaults(stage, probed, probe)),
      ...server.crashes().map((crash) => `the server ended by itself: ${crash}`),
    ]
    for (const { workspaceId, follower } of followers)
      violations.push(...(await followerFaults(follower, await readJournal(origin, workspaceId, token()))))
    const figures = {
      ...verdict.figures,
      operations: `${judgement.operations} judged, ${judgement.unknownOutcomes} with an unknown outcome`,
      streams: `${followers.length} complete, resumed ${sumOf(followers.map(({ follower }) => follower))} times`,
    }
    return { ...verdict, figures, violations }
  } finally {
    over = true
    await probe.stop()
    await Promise.all(followers.map(({ follower }) => follower.stop()))
  }
}

async function probedFaults({ server, person }: Stage, workspaceId: string, probe: Probe): Promise<string[]> {
  return probe.lost(await readJournal(server.origin, workspaceId, person.accessToken()))
}

function sumOf(followers: readonly Follower[]): number {
  return followers.reduce((sum, { resumed }) => sum + resumed, 0)
}

/** What calls that began in a time, and nobody could serve, must have been told; and how soon they were. */
export function refusals(samples: readonly Sample[], from: number, to: number): Verdict & { longestMs: number } {
  const during = samples.filter(({ at }) => at >= from && at < to)
  const asked = during.filter(({ kind }) => kind === 'read' || kind === 'write')
  const alive = during.filter(({ kind }) => kind === 'alive')
  const ready = during.filter(({ kind }) => kind === 'ready')
  const longestMs = percentile(
    [...asked, ...ready].map((sample) => sample.ms),
    1,
  )
  const violations = [
    ...asked
      .filter(({ status }) => status !== 503)
      .map(({ kind, status, ms: took }) => `a ${kind} during the fault was answered ${status} after ${ms(took)}`),
    ...asked
      .filter(({ status, retryAfter }) => status === 503 && retryAfter === null)
      .map(({ kind }) => `a ${kind} was refused with 503 and no Retry-After`),
    ...ready.filter(({ status }) => status !== 503).map(({ status }) => `/readyz said ${status} during the fault`),
    ...alive.filter(({ status }) => status !== 200).map(({ status }) => `/healthz said ${status} during the fault`),
    ...(asked.length === 0 ? ['nobody called during the fault'] : []),
  ]
  return { figures: { refused: `${asked.length} calls, the longest after ${ms(longestMs)}` }, violations, longestMs }
}

/** Every call is answered in the end, whenever it began. */
export function hangs(samples: readonly Sample[]): string[] {
  return samples
    .filter((sample) => sample.ms > HANG_BOUND_MS)
    .map(({ kind, status, ms: took }) => `a ${kind} hung for ${ms(took)} until ${status}`)
}

/** Judges how soon a write was acknowledged again, and how soon calls were refused. */
export function timeliness(
  name: string,
  { recoveredMs, refusedMs = 0 }: { recoveredMs: number; refusedMs?: number },
): Required<Pick<Verdict, 'violations' | 'missed'>> {
  const never = recoveredMs === Infinity
  return {
    violations: never ? [`${name}: no write was ever acknowledged again`] : [],
    missed: [
      ...(recoveredMs > RECOVERY_TARGET_MS ? [`${name}: a write after ${ms(recoveredMs)}, the target is 5 s`] : []),
      ...(refusedMs > REFUSED_TARGET_MS ? [`${name}: a refusal took ${ms(refusedMs)}, the target is 2 s`] : []),
    ],
  }
}
