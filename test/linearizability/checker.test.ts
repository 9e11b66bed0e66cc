import { describe, expect, test } from 'vitest'
import { createRandom, type Random } from '../support/random.ts'
import { checkLinearizability, type Operation, type SequentialModel } from './checker.ts'
import { flipOneAnswer } from './flip.ts'
import { workspaceModel, type Input, type Output, type State, type WorkspaceOperation } from './workspace-model.ts'

type RegisterInput = { readonly set: number } | 'get'

/** One register; a write answers 'ok', a read its value. */
const register: SequentialModel<number, RegisterInput, number | 'ok'> = {
  initial: 0,
  next: (state, input, output) => {
    if (input === 'get') return output === state ? state : null
    return output === undefined || output === 'ok' ? input.set : null
  },
  keyOf: String,
}

function op(
  client: string,
  input: RegisterInput,
  output: number | 'ok' | undefined,
  calledAt: number,
  returnedAt: number,
): Operation<RegisterInput, number | 'ok'> {
  return { client, input, output, calledAt, returnedAt }
}

const verdictOn = (...history: Operation<RegisterInput, number | 'ok'>[]) =>
  checkLinearizability(history, register).kind

describe('a register', () => {
  test('may answer the old or the new value while a write is under way, in an order that all agree on', () => {
    const write = op('a', { set: 1 }, 'ok', 0, 10)
    expect(verdictOn(write, op('b', 'get', 0, 1, 2), op('b', 'get', 1, 3, 4))).toBe('linearizable')
    expect(verdictOn(write, op('b', 'get', 1, 1, 2), op('c', 'get', 0, 3, 4))).toBe('violation')
  })

  test('may not answer what an acknowledged write has replaced', () => {
    expect(verdictOn(op('a', { set: 1 }, 'ok', 0, 1), op('b', 'get', 0, 2, 3))).toBe('violation')
  })

  test('may not answer what nobody wrote', () => {
    expect(verdictOn(op('a', { set: 1 }, 'ok', 0, 5), op('b', 'get', 2, 1, 2))).toBe('violation')
  })

  test('may show a write of unknown outcome at any later time, or never, but not before its call', () => {
    const lost = op('a', { set: 1 }, undefined, 5, 6)
    expect(verdictOn(lost, op('b', 'get', 0, 7, 8), op('b', 'get', 1, 100, 101))).toBe('linearizable')
    expect(verdictOn(lost, op('b', 'get', 0, 7, 8))).toBe('linearizable')
    expect(verdictOn(lost, op('b', 'get', 1, 7, 8), op('b', 'get', 0, 9, 10))).toBe('violation')
    expect(verdictOn(lost, op('b', 'get', 1, 1, 2))).toBe('violation')
  })

  test('calls at the moment of another’s return overlap with it', () => {
    expect(verdictOn(op('a', { set: 1 }, 'ok', 0, 5), op('b', 'get', 0, 5, 6))).toBe('linearizable')
  })
})

test('giving up is neither yes nor no: it says so', () => {
  const concurrent = Array.from({ length: 30 }, (_, n) => op(`c${n}`, { set: n }, 'ok', 0, 100))
  const impossible = [...concurrent, op('r', 'get', 99, 101, 102)]
  expect(checkLinearizability(impossible, register, { configurations: 1_000 }).kind).toBe('gave up')
  expect(checkLinearizability(impossible, register, { configurations: 10_000_000, ms: 0 }).kind).toBe('gave up')
})

test('agrees with trying every order, on thousands of small histories with unknown outcomes', () => {
  const random = createRandom(20_261_121)
  const seen = { linearizable: 0, violation: 0 }
  for (let round = 0; round < 3_000; round += 1) {
    const history = Array.from({ length: 5 }, (_, n) => {
      const calledAt = random.below(10)
      const input: RegisterInput = random.next() < 0.5 ? 'get' : { set: 1 + random.below(2) }
      const answer = input === 'get' ? random.below(3) : 'ok'
      const output = random.next() < 0.2 ? undefined : answer
      return op(`c${n}`, input, output, calledAt, calledAt + 1 + random.below(5))
    })
    const expected = someOrderFits(history, 0) ? 'linearizable' : 'violation'
    seen[expected] += 1
    expect(checkLinearizability(history, register).kind, JSON.stringify(history)).toBe(expected)
  }
  expect(Math.min(seen.linearizable, seen.violation)).toBeGreaterThan(300)
})

/** By definition, without any cleverness. */
function someOrderFits(rest: readonly Operation<RegisterInput, number | 'ok'>[], state: number): boolean {
  if (rest.every(({ output }) => output === undefined)) return true
  const firstReturn = Math.min(...rest.map(({ output, returnedAt }) => (output === undefined ? Infinity : returnedAt)))
  return rest.some((candidate) => {
    if (candidate.calledAt > firstReturn) return false
    const next = register.next(state, candidate.input, candidate.output)
    return (
      next !== null &&
      someOrderFits(
        rest.filter((each) => each !== candidate),
        next,
      )
    )
  })
}

/**
 * A workspace that does one thing at a time, and clients whose calls overlap: what a correct server would have
 * recorded. Some answers get lost, after the operation or before it.
 */
function recordedHistory(random: Random, count: number, clients: number): WorkspaceOperation[] {
  const server = createServer()
  const keys = ['k0', 'k1']
  const paths = ['p0', 'p1', 'p2']
  const freeAt = Array.from({ length: clients }, () => 0)
  const history: WorkspaceOperation[] = []
  let at = 1
  for (; history.length < count; at += 1) {
    const index = random.below(clients)
    const agentId = `c${index}`
    const calledAt = Math.max(at - random.next() * clients, (freeAt[index] ?? 0) + 0.001)
    if (calledAt >= at) continue
    const input = server.invent(random, agentId, keys, paths)
    const isLost = random.next() < 0.03
    const output = isLost && random.next() < 0.5 ? undefined : server.apply(agentId, input)
    const returnedAt = at + random.next() * clients
    freeAt[index] = returnedAt
    history.push({
      client: agentId,
      input: { ...input, agentId },
      output: isLost ? undefined : output,
      calledAt,
      returnedAt,
    })
  }
  const end = at + clients
  const finals: Input[] = [{ kind: 'read', keys }, ...paths.map((path) => ({ kind: 'look' as const, path }))]
  finals.forEach((input, n) => {
    const times = { calledAt: end + n, returnedAt: end + n + 0.5 }
    history.push({ client: 'end', input: { ...input, agentId: 'end' }, output: server.apply('end', input), ...times })
  })
  return history
}

function createServer() {
  let seq = 0
  const values = new Map<string, { value: string; version: number }>()
  const holds = new Map<string, { claimId: string; agentId: string; fence: number }>()
  const touched = new Map<string, { agentId: string; seq: number }[]>()
  const touch = (path: string, agentId: string) => touched.set(path, [...(touched.get(path) ?? []), { agentId, seq }])
  const entriesOf = (keys: readonly string[]) => Object.fromEntries(keys.map((key) => [key, values.get(key) ?? null]))
  return {
    invent(random: Random, agentId: string, keys: readonly string[], paths: readonly string[]): Input {
      const path = random.pick(paths)
      const key = random.pick(keys)
      const chance = random.next()
      if (chance < 0.2) return { kind: 'read', keys: random.next() < 0.5 ? keys : [key] }
      if (chance < 0.45) {
        const value = random.next() < 0.2 ? null : `${agentId} at ${seq} ${random.next()}`
        const entry = { key, value }
        const stale = random.next() < 0.3 ? -1 : 0
        const expectedVersion = Math.max(0, (values.get(key)?.version ?? 0) + stale)
        return { kind: 'write', entries: [random.next() < 0.5 ? entry : { ...entry, expectedVersion }] }
      }
      const mine = [...holds].find(([, hold]) => hold.agentId === agentId)
      if (mine !== undefined && chance < 0.7) return { kind: 'release', path: mine[0], claimId: mine[1].claimId }
      if (chance < 0.8) return { kind: 'look', path }
      return { kind: 'claim', path, expectedSeq: Math.max(0, seq - random.below(4)) }
    },
    apply(agentId: string, input: Input): Output {
      switch (input.kind) {
        case 'read':
          return { seq, kind: 'values', values: entriesOf(input.keys) }
        case 'look':
          return { seq, kind: 'holder', hold: holds.get(input.path) ?? null }
        case 'write': {
          const stale = input.entries.filter(
            ({ key, expectedVersion }) =>
              expectedVersion !== undefined && expectedVersion !== (values.get(key)?.version ?? 0),
          )
          if (stale.length > 0)
            return { seq, kind: 'version_conflict', current: entriesOf(stale.map(({ key }) => key)) }
          const versions: Record<string, number> = {}
          for (const { key, value } of input.entries) {
            if (value === null && !values.has(key)) continue
            seq += 1
            versions[key] = seq
            if (value === null) values.delete(key)
            else values.set(key, { value, version: seq })
          }
          return { seq, kind: 'written', versions }
        }
        case 'claim': {
          const { path, expectedSeq } = input
          const hold = holds.get(path)
          if (hold?.agentId === agentId) return { seq, kind: 'claimed', hold, renewed: true }
          if (hold !== undefined) return { seq, kind: 'scope_conflict', holder: hold }
          const others = (touched.get(path) ?? []).filter((each) => each.agentId !== agentId)
          if (others.some((each) => each.seq > expectedSeq)) return { seq, kind: 'state_changed' }
          seq += 1
          const granted = { claimId: `clm_${seq}`, agentId, fence: seq }
          holds.set(path, granted)
          touch(path, agentId)
          return { seq, kind: 'claimed', hold: granted, renewed: false }
        }
        case 'release':
        default:
          if (holds.get(input.path)?.claimId === input.claimId) {
            seq += 1
            holds.delete(input.path)
            touch(input.path, agentId)
          }
          return { seq, kind: 'released' }
      }
    },
  }
}

describe('a workspace', () => {
  const judge = (history: readonly WorkspaceOperation[]) =>
    checkLinearizability<State, WorkspaceOperation['input'], Output>(history, workspaceModel)

  test('that does one thing at a time is linearizable, with 16 clients, 1,000 operations and lost answers', () => {
    const random = createRandom(1)
    for (let round = 0; round < 10; round += 1) {
      const history = recordedHistory(random, 990, 16)
      expect(history.filter(({ output }) => output === undefined).length).toBeGreaterThan(10)
      expect(judge(history)).toMatchObject({ kind: 'linearizable' })
    }
  })

  test('is refused as soon as one answer is another than it was: 200 flips of 200 are found', () => {
    const random = createRandom(2)
    const missed: unknown[] = []
    const kinds = new Set<string>()
    for (let round = 0; round < 200; round += 1) {
      const history = recordedHistory(random, 120, 8)
      const flip = flipOneAnswer(history, random)
      kinds.add(flip.what)
      const verdict = judge(flip.history)
      if (verdict.kind !== 'violation') missed.push([verdict.kind, flip.what, flip.index])
    }
    expect(missed).toEqual([])
    expect([...kinds].toSorted()).toEqual([
      'a granted claim was refused',
      'a read value that nobody wrote',
      'a refused claim was granted',
      'an older value was read',
      'another fence',
      'another version was read',
      'another version was written',
    ])
  })

  test('that forgets an acknowledged write or release is refused', () => {
    const write: Input = { kind: 'write', entries: [{ key: 'k', value: 'v' }] }
    const at = (n: number) => ({ calledAt: n, returnedAt: n + 0.5, client: 'a' })
    expect(
      judge([
        { ...at(0), input: { ...write, agentId: 'a' }, output: { seq: 1, kind: 'written', versions: { k: 1 } } },
        {
          ...at(1),
          input: { kind: 'read', keys: ['k'], agentId: 'a' },
          output: { seq: 1, kind: 'values', values: { k: null } },
        },
      ]).kind,
    ).toBe('violation')
    const hold = { claimId: 'c', agentId: 'a', fence: 1 }
    expect(
      judge([
        {
          ...at(0),
          input: { kind: 'claim', path: 'p', expectedSeq: 0, agentId: 'a' },
          output: { seq: 1, kind: 'claimed', hold, renewed: false },
        },
        {
          ...at(1),
          input: { kind: 'release', path: 'p', claimId: 'c', agentId: 'a' },
          output: { seq: 2, kind: 'released' },
        },
        { ...at(2), input: { kind: 'look', path: 'p', agentId: 'a' }, output: { seq: 2, kind: 'holder', hold } },
      ]).kind,
    ).toBe('violation')
  })
})
