import { expect, test, vi } from 'vitest'
import { createEventStreams } from '../../src/http/event-stream.ts'
import { AppError } from '../../src/kernel/errors.ts'
import { deferred } from '../support/deferred.ts'

const log = { debug() {}, info() {}, warn() {}, error() {} }
const NEVER = 3_600_000

/** A source that says what became of it, and whose right to be read the test decides. */
function fakeSource() {
  const state = { open: 0, checks: 0, check: async () => {}, recheck: () => {} }
  const source = {
    userId: 'usr_1',
    checkCaller: () => state.check(),
    async check() {
      state.checks += 1
      await state.check()
    },
    async watch(recheck: () => void) {
      state.recheck = recheck
    },
    async *chunks(signal: AbortSignal) {
      state.open += 1
      try {
        while (!signal.aborted) yield 'data: x\n\n'
      } finally {
        state.open -= 1
      }
    },
  }
  return { state, source }
}

const streamsAt = (stallMs: number) =>
  createEventStreams({ log, pace: { keepAliveMs: NEVER, recheckMs: NEVER, stallMs } })

test('what a source holds is let go when its reader leaves between two chunks', async () => {
  const { state, source } = fakeSource()
  const reader = (await streamsAt(NEVER).open(source, 'rest')).body?.getReader()
  await reader?.read()
  expect(state.open).toBe(1)
  await reader?.cancel()
  await vi.waitFor(() => expect(state.open).toBe(0))
})

test('and when its reader takes nothing any more', async () => {
  const { state, source } = fakeSource()
  const reader = (await streamsAt(20).open(source, 'rest')).body?.getReader()
  await reader?.read()
  await vi.waitFor(() => expect(state.open).toBe(0))
  await expect(reader?.read()).rejects.toThrow('took nothing')
})

test('what happens while a check is under way is looked at by another one after it', async () => {
  const { state, source } = fakeSource()
  const body = (await streamsAt(NEVER).open(source, 'rest')).body
  const slow = deferred()
  await vi.waitFor(() => expect(state.checks).toBe(2))
  state.check = () => slow.promise
  state.recheck()
  await vi.waitFor(() => expect(state.checks).toBe(3))
  state.check = () => Promise.reject(new AppError('WORKSPACE_NOT_FOUND'))
  state.recheck()
  state.recheck()
  slow.resolve()
  await vi.waitFor(() => expect(state.checks).toBe(4))
  const reader = body?.getReader()
  await vi.waitFor(async () => expect(await reader?.read()).toMatchObject({ done: true }))
})

test('a stream outlives the database’s absence, and not a check that says no', async () => {
  const { state, source } = fakeSource()
  const streams = streamsAt(NEVER)
  const reader = (await streams.open(source, 'rest')).body?.getReader()
  state.check = () => Promise.reject(new AppError('UNAVAILABLE'))
  streams.recheck('usr_1')
  await vi.waitFor(() => expect(state.checks).toBeGreaterThan(2))
  expect(await reader?.read()).toMatchObject({ done: false })
  state.check = () => Promise.reject(new AppError('UNAUTHENTICATED'))
  streams.recheck('usr_2')
  expect(await reader?.read()).toMatchObject({ done: false })
  streams.recheck('usr_1')
  await vi.waitFor(async () => expect(await reader?.read()).toMatchObject({ done: true }))
})
