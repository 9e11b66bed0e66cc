import { expect, test } from 'vitest'
import { remembered } from '../../src/auth/upstream/remembered.ts'

/** A load whose outcomes the test decides, and a clock that it moves. */
function setup() {
  let clock = 0
  const loads: { resolve: (value: string) => void; reject: (error: Error) => void }[] = []
  const load = () =>
    new Promise<string>((resolve, reject) => {
      loads.push({ resolve, reject })
    })
  const get = remembered(load, { freshMs: 1_000, retryMs: 100 }, () => clock)
  return { get, loads, elapse: (ms: number) => void (clock += ms) }
}

/** Everything that follows from what was resolved has happened. */
const settled = () => new Promise<void>((resolve) => void setImmediate(resolve))

test('everybody who asks while it loads waits for one load, and gets its value until it is old', async () => {
  const { get, loads, elapse } = setup()
  const asked = [get(), get()]
  expect(loads).toHaveLength(1)
  loads[0]?.resolve('first')
  expect(await Promise.all(asked)).toEqual(['first', 'first'])
  elapse(999)
  expect(await get()).toBe('first')
  expect(loads).toHaveLength(1)
})

test('what is old is used while it is loaded again, and for as long as that fails', async () => {
  const { get, loads, elapse } = setup()
  const first = get()
  loads[0]?.resolve('first')
  await first
  elapse(1_000)
  expect(await get()).toBe('first')
  expect(loads).toHaveLength(2)
  loads[1]?.reject(new Error('away'))
  await settled()
  elapse(99)
  expect(await get()).toBe('first')
  expect(loads).toHaveLength(2)
  elapse(1)
  expect(await get()).toBe('first')
  expect(loads).toHaveLength(3)
  loads[2]?.resolve('second')
  await settled()
  expect(await get()).toBe('second')
})

test('a failure without an older value is everybody’s answer, and nobody asks again too soon', async () => {
  const { get, loads, elapse } = setup()
  const asked = [get(), get()]
  loads[0]?.reject(new Error('away'))
  for (const one of await Promise.allSettled(asked)) expect(one).toMatchObject({ reason: { message: 'away' } })
  elapse(99)
  await expect(get()).rejects.toThrow('away')
  expect(loads).toHaveLength(1)
  elapse(1)
  const again = get()
  expect(loads).toHaveLength(2)
  loads[1]?.resolve('back')
  expect(await again).toBe('back')
})
