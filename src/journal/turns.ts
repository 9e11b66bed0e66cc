import { AsyncLocalStorage } from 'node:async_hooks'
import type { InWorkspace, Scoped } from '../db/client.ts'
import { AppError } from '../kernel/errors.ts'
import { createQueue } from './queue.ts'
import type { Opening, Outcome } from './turn.ts'

/**
 * The most commands that share a transaction. Those that come later wait for all of them, on other replicas too: at a
 * millisecond or two each this is about a tenth of a second.
 */
const MOST_TOGETHER = 64

/** As long as a statement waits for a lock (db/client.ts): it is the same wait, on this side of the database. */
const PATIENCE_MS = 4_000

interface Command {
  readonly open: Opening
  readonly resolve: (outcome: Outcome) => void
  readonly reject: (error: unknown) => void
}

export interface TurnRules {
  /** One command in a transaction of its own. */
  alone(scope: InWorkspace, open: Opening): Promise<Outcome>
  /** Several in one transaction, in this order. Rejects with nothing done where they cannot share one. */
  together(scope: InWorkspace, commands: readonly Opening[]): Promise<Outcome[]>
}

/**
 * Runs the commands of a workspace in turns. One that comes while no other runs has a transaction of its own, at once. Those
 * that come meanwhile share the next one: one lock, one look at the clock, and one commit, which they would otherwise
 * wait for one after the other.
 *
 * They fail alone: where one of them spoils the transaction, each is run by itself. But when the database is away, it is
 * away for all that wait.
 */
export function createTurns(rules: TurnRules) {
  const queue = createQueue<Command>({
    most: MOST_TOGETHER,
    patienceMs: PATIENCE_MS,
    refuse: ({ reject }, error) => reject(error ?? new AppError('UNAVAILABLE', undefined, { retryAfterMs: 1_000 })),
    run: async (workspace, commands) => {
      const scope = { workspace }
      const byItself = ({ open, resolve, reject }: Command) =>
        rules.alone(scope, open).then(resolve, (thrown: unknown) => {
          if (isAway(thrown)) throw thrown
          reject(thrown)
        })
      const [first, ...others] = commands
      if (first !== undefined && others.length === 0) return byItself(first)
      const outcomes = await rules
        .together(
          scope,
          commands.map(({ open }) => open),
        )
        .catch((thrown: unknown) => {
          if (isAway(thrown)) throw thrown
          return null
        })
      if (outcomes === null) await Promise.all(commands.map(byItself))
      else outcomes.forEach((outcome, index) => commands[index]?.resolve(outcome))
    },
  })
  return <T>(workspace: string, open: Opening<InWorkspace, T>): Promise<Outcome<T>> =>
    new Promise((resolve, reject) => {
      // Whoever runs it does so in the context of the call that it belongs to: the request's id, the trace.
      const inContext = AsyncLocalStorage.snapshot()
      queue.add(workspace, {
        open(orm: Scoped) {
          const work = inContext(open, orm)
          return (ws) => inContext(work, ws)
        },
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the outcome of this work
        resolve: (outcome) => resolve(outcome as Outcome<T>),
        reject,
      })
    })
}

function isAway(thrown: unknown): boolean {
  return thrown instanceof AppError && thrown.code === 'UNAVAILABLE'
}
