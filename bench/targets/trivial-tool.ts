import { z } from 'zod'

/** What the trivial tool takes, here and in the hand-written dispatch: five fields, as real tools have them. */
export const TrivialInput = z.object({
  name: z.string().min(1).max(64),
  count: z.number().int().positive().max(86_400),
  mode: z.enum(['exclusive', 'shared']).default('exclusive'),
  paths: z.array(z.string().max(1_024)).min(1).max(200),
  reason: z.string().max(300).optional(),
})

/** Its answer's payload. */
export function trivial({ name, count, mode, paths }: z.output<typeof TrivialInput>) {
  return { name, total: count + paths.length, mode }
}

/** A call of it. */
export const TRIVIAL_CALL = {
  name: 'trivial_0',
  arguments: { name: 'widget', count: 41, mode: 'shared', paths: ['src/widgets/table.ts'], reason: 'a bench' },
}

/** What every answer says beside its payload. */
export const SITUATION = {
  phase: 'active',
  nextRequiredTool: null,
  nextStep: 'Go on.',
  stateHash: '1-0123456789abcdef',
  alerts: [],
}
