/**
 * A linearizability checker: Wing and Gong's search with Lowe's memory of visited configurations ("Testing for
 * linearizability", 2017). It asks whether every operation of a history can be given one moment between its call and
 * its return, such that a sequential model gives the same answers in that order.
 *
 * Operations whose outcome nobody knows are what makes the search explode: each may be at any later place, or nowhere.
 * Three rules keep it small without losing an order that fits. An unknown operation is placed no earlier than before an
 * operation on the same objects, since up to there it commutes with everything. Of equal ones, as retries are, the first
 * is placed first. And one that makes the next known operation fit is tried before others.
 */

/** One operation of one client. Times are of one clock that never steps back. */
export interface Operation<Input, Output> {
  readonly client: string
  readonly input: Input
  /** Undefined: nobody knows. It may have happened at any time after its call, or never. */
  readonly output: Output | undefined
  readonly calledAt: number
  /** Of no meaning where the output is unknown. */
  readonly returnedAt: number
}

/** What the operations would do one after the other. States are values: `next` makes a new one. */
export interface SequentialModel<State, Input, Output> {
  readonly initial: State
  /**
   * The state after the operation, or null where it cannot have answered so. With an unknown output: the state after
   * it took effect, or null where it would have had none.
   */
  next(state: State, input: Input, output: Output | undefined): State | null
  /** The same text for two states iff they are the same. */
  keyOf(state: State): string
  /** What an operation depends on and changes: two without a common object must commute. Absent: all are about one. */
  objectsOf?(input: Input): readonly string[]
  /** Where answers tell it: a number that `next` lets never go back. Known operations are then placed in its order. */
  positionOf?(output: Output): number
}

export interface Budget {
  /** Configurations looked at. A million take about 200 MB. */
  readonly configurations: number
  readonly ms: number
}

const BUDGET: Budget = { configurations: 1_000_000, ms: 30_000 }

/** `gave up` is a failure: the history is neither proven nor refuted. */
export type Verdict<Input, Output> =
  | { readonly kind: 'linearizable'; readonly configurations: number }
  | {
      readonly kind: 'violation'
      readonly configurations: number
      /** The longest order that fits, and the operations of which none can be the next. */
      readonly order: readonly Operation<Input, Output>[]
      readonly stuckAt: readonly Operation<Input, Output>[]
    }
  | { readonly kind: 'gave up'; readonly configurations: number }

interface Item<Input, Output> {
  readonly index: number
  readonly operation: Operation<Input, Output>
  readonly objects: readonly string[]
  readonly position: number
  /** The same for operations that ask for the same: retries. */
  readonly inputKey: string
}

/** A configuration on the path that is being tried. */
interface Frame<State, Input, Output> {
  readonly state: State
  /** Placed to get here; null for the first. */
  readonly placed: Item<Input, Output> | null
  /** How many of `byReturn` and `byPosition` are placed from the start on, at least. */
  readonly returned: number
  readonly positioned: number
  readonly candidates: readonly { readonly item: Item<Input, Output>; readonly next: State }[]
  tried: number
}

/** Whether a history is linearizable, or how it is not. Time and memory are bounded by `budget`. */
export function checkLinearizability<State, Input, Output>(
  history: readonly Operation<Input, Output>[],
  model: SequentialModel<State, Input, Output>,
  budget: Partial<Budget> = {},
): Verdict<Input, Output> {
  const limits = { ...BUDGET, ...budget }
  const deadline = performance.now() + limits.ms
  const items = history.map((operation, index): Item<Input, Output> => ({
    index,
    operation,
    objects: model.objectsOf?.(operation.input) ?? [''],
    position: operation.output === undefined ? 0 : (model.positionOf?.(operation.output) ?? 0),
    inputKey: JSON.stringify([operation.client, operation.input]),
  }))
  const known = items.filter(({ operation }) => operation.output !== undefined)
  const byReturn = known.toSorted((a, b) => a.operation.returnedAt - b.operation.returnedAt)
  const byPosition = known.toSorted((a, b) => a.position - b.position)
  const unknown = items
    .filter(({ operation }) => operation.output === undefined)
    .toSorted((a, b) => a.operation.calledAt - b.operation.calledAt)
  const placed = createBits(history.length)
  const visited = new Set<string>()

  /** The known operations that may come next: the ones with the lowest position, called before anything returned. */
  function dueAt(horizon: number, from: number): Item<Input, Output>[] {
    const lowest = byPosition[from]?.position
    const due: Item<Input, Output>[] = []
    for (let at = from; at < byPosition.length && byPosition[at]?.position === lowest; at += 1) {
      const item = byPosition[at]
      if (item !== undefined && !placed.has(item.index) && item.operation.calledAt <= horizon) due.push(item)
    }
    return due
  }

  function enter(state: State, by: Item<Input, Output> | null, from: { returned: number; positioned: number }) {
    let { returned, positioned } = from
    while (placed.has(byReturn[returned]?.index)) returned += 1
    while (placed.has(byPosition[positioned]?.index)) positioned += 1
    const horizon = byReturn[returned]?.operation.returnedAt ?? Infinity
    const due = dueAt(horizon, positioned)
    const after = (from: State, { operation }: Item<Input, Output>) =>
      model.next(from, operation.input, operation.output)
    const open = unknown.filter(({ index, operation }) => !placed.has(index) && operation.calledAt <= horizon)
    const related = firstOfEqual(connected(open, due))
    const candidates = [...due, ...related].flatMap((item) => {
      const next = after(state, item)
      if (next === null) return []
      const isKnown = item.operation.output !== undefined
      const rank = isKnown ? 0 : due.some((other) => after(next, other) !== null) ? 1 : 2
      return [{ item, next, rank }]
    })
    candidates.sort((a, b) => a.rank - b.rank)
    return { frame: { state, placed: by, returned, positioned, candidates, tried: 0 }, due }
  }

  const first = enter(model.initial, null, { returned: 0, positioned: 0 })
  const stack: Frame<State, Input, Output>[] = [first.frame]
  let furthest: { order: readonly Operation<Input, Output>[]; stuckAt: readonly Operation<Input, Output>[] } | null =
    null
  for (;;) {
    const frame = stack.at(-1)
    if (frame === undefined) {
      return {
        kind: 'violation',
        configurations: visited.size,
        order: furthest?.order ?? [],
        stuckAt: furthest?.stuckAt ?? [],
      }
    }
    if (frame.positioned === known.length) return { kind: 'linearizable', configurations: visited.size }
    const candidate = frame.candidates[frame.tried]
    frame.tried += 1
    if (candidate === undefined) {
      stack.pop()
      if (frame.placed !== null) placed.flip(frame.placed.index)
      continue
    }
    const { item, next } = candidate
    placed.flip(item.index)
    const key = placed.key() + model.keyOf(next)
    if (visited.has(key)) {
      placed.flip(item.index)
      continue
    }
    visited.add(key)
    if (visited.size > limits.configurations || (visited.size % 256 === 0 && performance.now() > deadline)) {
      return { kind: 'gave up', configurations: visited.size }
    }
    const { frame: entered, due } = enter(next, item, frame)
    stack.push(entered)
    if (entered.candidates.length === 0 && stack.length > (furthest?.order.length ?? 0)) {
      const order = stack.flatMap(({ placed: each }) => (each === null ? [] : [each.operation]))
      furthest = { order, stuckAt: due.map(({ operation }) => operation) }
    }
  }
}

/** The unknown operations on which the due ones can depend: they share an object, or one that shares does. */
function connected<Input, Output>(
  unknown: readonly Item<Input, Output>[],
  due: readonly Item<Input, Output>[],
): readonly Item<Input, Output>[] {
  const objects = new Set(due.flatMap((item) => item.objects))
  for (;;) {
    const found = unknown.filter((item) => item.objects.some((object) => objects.has(object)))
    const before = objects.size
    for (const item of found) for (const object of item.objects) objects.add(object)
    if (objects.size === before) return found
  }
}

function firstOfEqual<Input, Output>(items: readonly Item<Input, Output>[]): Item<Input, Output>[] {
  const seen = new Set<string>()
  return items.filter(({ inputKey }) => !seen.has(inputKey) && seen.add(inputKey))
}

/** A set of small numbers with a text for each of its contents. 15 of them a character: no character is a surrogate. */
function createBits(size: number) {
  const words = new Uint16Array(Math.ceil(size / 15))
  return {
    has: (index: number | undefined): boolean =>
      index !== undefined && ((words[Math.floor(index / 15)] ?? 0) & (1 << (index % 15))) !== 0,
    flip(index: number): void {
      const at = Math.floor(index / 15)
      words[at] = (words[at] ?? 0) ^ (1 << (index % 15))
    },
    key: (): string => String.fromCharCode(...words),
  }
}
