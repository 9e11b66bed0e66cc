/**
 * One line for each key. What is first in it runs alone and at once; whatever comes meanwhile runs together when that is
 * over, in the order in which it came. So an idle key costs nothing and delays nobody, and a busy one shares what a turn
 * costs.
 */
export interface Queue<Item> {
  add(key: string, item: Item): void
}

export interface QueueRules<Item> {
  /** The most items of one turn. */
  readonly most: number
  /** How long an item may wait for its turn. */
  readonly patienceMs: number
  /**
   * Runs what has its turn, and tells each item how it ended. Rejects where no turn is to be had now: whoever waited for
   * the next one would wait in vain.
   */
  run(key: string, items: readonly Item[]): Promise<void>
  /** Tells an item that it was not run, or may not have been: with what `run` rejected, or because it waited too long. */
  refuse(item: Item, error?: unknown): void
}

interface Waiting<Item> {
  readonly item: Item
  readonly timer: NodeJS.Timeout
}

export function createQueue<Item>(rules: QueueRules<Item>): Queue<Item> {
  /** A key is here while one of its turns runs. */
  const lines = new Map<string, Set<Waiting<Item>>>()

  async function runTurns(key: string, line: Set<Waiting<Item>>, first: Item): Promise<void> {
    for (let turn = [first]; turn.length > 0; turn = leave(line, rules.most)) {
      try {
        await rules.run(key, turn)
      } catch (error) {
        // Items that were told their outcome do not hear this.
        for (const item of [...turn, ...leave(line, Infinity)]) rules.refuse(item, error)
      }
    }
    lines.delete(key)
  }

  return {
    add(key, item) {
      const line = lines.get(key)
      if (line === undefined) {
        const begun = new Set<Waiting<Item>>()
        lines.set(key, begun)
        void runTurns(key, begun, item)
        return
      }
      const timer = setTimeout(() => {
        line.delete(waiting)
        rules.refuse(item)
      }, rules.patienceMs)
      const waiting = { item, timer }
      line.add(waiting)
    },
  }
}

/** The first of a line, whose turn it is. */
function leave<Item>(line: Set<Waiting<Item>>, most: number): Item[] {
  const turn: Item[] = []
  for (const waiting of line) {
    if (turn.length === most) break
    clearTimeout(waiting.timer)
    line.delete(waiting)
    turn.push(waiting.item)
  }
  return turn
}
