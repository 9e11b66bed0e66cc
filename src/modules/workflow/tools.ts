import { z } from 'zod'
import { AppError } from '../../kernel/errors.ts'
import { LIMITS } from '../../kernel/limits.ts'
import { callTool, type Call } from '../call.ts'
import { agentId, line, optionalAgentId, timestamp } from '../fields.ts'
import { actorOf } from '../session/session.ts'
import { sessionByAgentId } from '../session/store.ts'
import { classifyIntent } from './classify.ts'
import { INTENT_IDS, INTENTS, type IntentId } from './intent.ts'
import { finishRun, startRun } from './lifecycle.ts'

const intent = z.enum(INTENT_IDS)

export const identifyIntent = callTool({
  name: 'identify_intent',
  title: 'Declare a task',
  description:
    'Call for every new task, with the user’s request in their own words. Decides whether the task edits files ' +
    '(implement, assist, takeover) or not (plan, review, observe, delegate, handoff) and starts a run with its steps. ' +
    'If the answer’s intent is wrong, call again with forceIntent. A running task ends; its claims stay.',
  access: 'read',
  hints: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
  input: z.object({
    // However long: the classifier reads a bounded head and tail, and a pasted log is no reason to refuse a task.
    userPrompt: z.string().min(1),
    forceIntent: intent.optional(),
    chain: z.array(intent).max(LIMITS.chainedIntents).default([]).describe('Intents that follow when this one is done'),
    targetAgentId: agentId.optional().describe('The agent to assist, take over from, delegate or hand off to'),
    scopeHints: z.array(line(LIMITS.pathBytes)).max(LIMITS.scopeHints).default([]).describe('Paths it may touch'),
    ...optionalAgentId,
  }),
  output: z.object({
    intentId: z.string(),
    confidence: z.number(),
    alternatives: z.array(z.object({ intentId: z.string(), confidence: z.number() })),
    reasons: z.array(z.string()),
    editable: z.boolean(),
    steps: z.array(z.object({ tool: z.string(), when: z.string(), why: z.string() })),
    run: z.looseObject({ runId: z.string(), intentId: z.string(), startedAt: timestamp, expiresAt: timestamp }),
  }),
  async handle(call, input) {
    const { ws, session } = call
    const targetAgentId = input.targetAgentId ?? null
    if (targetAgentId !== null) await checkTarget(call, targetAgentId)
    const { intentId, confidence, alternatives, reasons } =
      input.forceIntent === undefined
        ? classifyIntent(input.userPrompt)
        : { intentId: input.forceIntent, confidence: 1, alternatives: [], reasons: ['forceIntent was given'] }
    if (call.run !== null) finishRun(ws, call.run, 'superseded', actorOf(session))
    const run = startRun(call, { intentId, chain: input.chain, targetAgentId })
    const { editable } = INTENTS[intentId]
    return {
      intentId,
      confidence,
      alternatives: alternatives.map((other) => ({ intentId: other.intentId, confidence: other.confidence })),
      reasons: [...reasons],
      editable,
      steps: stepsOf(intentId, targetAgentId !== null),
      run: {
        runId: run.id,
        intentId,
        chainRemaining: [...run.chainRemaining],
        targetAgentId,
        startedAt: run.startedAt.toISOString(),
        // A run ends with its session, which ends when it idles.
        expiresAt: new Date(ws.now.getTime() + call.member.policy.sessionIdleSeconds * 1000).toISOString(),
      },
      ...(input.scopeHints.length === 0 ? {} : { scopeHints: input.scopeHints }),
    }
  },
})

async function checkTarget(call: Call, targetAgentId: string): Promise<void> {
  if ((await sessionByAgentId(call.ws.tx, call.ws.workspaceId, targetAgentId)) !== null) return
  throw new AppError('INVALID_INPUT', undefined, {
    details: {
      issues: [
        { path: 'targetAgentId', message: 'no agent of this workspace has this agentId; read_team_state lists them' },
      ],
    },
  })
}

const READ = { tool: 'read_team_state', when: 'now', why: 'see what the others do, and get the current stateHash' }

function stepsOf(intentId: IntentId, hasTarget: boolean) {
  if (!INTENTS[intentId].editable) {
    return [
      READ,
      { tool: 'update_my_state', when: 'then', why: 'tell the team what you are looking at; footprint stays empty' },
      intentId === 'handoff'
        ? hasTarget
          ? { tool: 'release_scope', when: 'for each claim, with reason "handoff"', why: 'the target agent gets it' }
          : { tool: 'release_scope', when: 'for each claim you hold', why: 'let whoever goes on have the paths' }
        : { tool: 'update_my_state', when: 'when finished', why: 'publish status "done" and what you found' },
    ]
  }
  return [
    READ,
    { tool: 'claim_scope', when: 'before editing', why: 'nobody else can edit these paths meanwhile' },
    {
      tool: 'update_my_state',
      when: 'after the claim and at checkpoints',
      why: 'the team sees your plan and progress',
    },
    { tool: 'release_scope', when: 'when finished', why: 'others can go on with these paths at once' },
  ]
}
