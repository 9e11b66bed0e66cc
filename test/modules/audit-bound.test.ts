import { expect, test } from 'vitest'
import { countBounded, type Kept } from '../../src/modules/audit/bound.ts'

test('of what anybody can bring about at most ten are on record in any hour, and the next one counts the others', () => {
  const HOUR = 3_600_000
  const recorded: number[] = []
  let kept: Kept | undefined
  let dropped = 0
  for (let minute = 0; minute < 600; minute += 1) {
    const now = minute * 60_000 + (minute % 7) * 1_000
    const counted = countBounded(kept, now)
    kept = counted.kept
    if (counted.unrecorded === null) dropped += 1
    else {
      recorded.push(now)
      expect(counted.unrecorded).toBe(dropped)
      dropped = 0
    }
    expect(recorded.filter((at) => at > now - HOUR).length).toBeLessThanOrEqual(10)
    expect(kept.at.length).toBeLessThanOrEqual(10)
  }
  expect(recorded.length).toBeGreaterThan(90)
})
