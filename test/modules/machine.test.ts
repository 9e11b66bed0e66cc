import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import { tools } from '../../src/modules/index.ts'
import { INTENT_IDS } from '../../src/modules/workflow/intent.ts'
import {
  isAllowed,
  allows,
  GATED_TOOLS,
  move,
  nextTool,
  workflowOf,
  type Phase,
  type Step,
} from '../../src/modules/workflow/machine.ts'

const STEPS: Step[] = [
  'read_team_state',
  'claim_scope',
  'update_my_state',
  'release_scope',
  'last_release',
  'finished',
  'claims_lost',
]

const intents = fc.constantFrom(...INTENT_IDS)

describe('the tables', () => {
  test('name only registered tools', () => {
    const names = tools.map((tool) => tool.name)
    for (const tool of GATED_TOOLS) expect(names).toContain(tool)
    for (const intent of INTENT_IDS) {
      for (const row of Object.values(workflowOf(intent))) if (row.next !== null) expect(names).toContain(row.next)
    }
  })

  test('always accept the tool that they advise', () => {
    for (const intent of INTENT_IDS) {
      for (const phase of Object.keys(workflowOf(intent)) as Phase[]) {
        const next = nextTool(intent, phase)
        if (next !== null) expect(isAllowed({ intentId: intent, phase }, next)).toBe(true)
      }
    }
  })

  test('end when their advice is followed', () => {
    for (const intent of INTENT_IDS) {
      let phase: Phase | 'done' = 'identified'
      for (let step = 0; step < 10 && phase !== 'done'; step += 1) {
        const next = nextTool(intent, phase)
        if (next === null) break
        phase = move(intent, phase, next)
      }
      expect(phase).toBe('active')
    }
  })

  test('let no editing happen under an intent that does not edit', () => {
    for (const intent of ['plan', 'review', 'observe', 'delegate', 'handoff'] as const) {
      for (const phase of Object.keys(workflowOf(intent)) as Phase[])
        expect(allows(intent, phase, 'claim_scope')).toBe(false)
    }
  })
})

test.prop([intents, fc.array(fc.oneof(fc.constantFrom(...STEPS), fc.constantFrom('toString', '__proto__', 'x')))])(
  'no order of steps leaves the table',
  (intent, steps) => {
    let phase: Phase = 'identified'
    for (const step of steps) {
      const next = move(intent, phase, step as Step)
      if (next === 'done') return
      expect(Object.keys(workflowOf(intent))).toContain(next)
      phase = next
    }
  },
)
