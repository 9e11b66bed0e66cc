import { describe, expect, it } from 'vitest'
import { answerOf, nextTurn, type ShownResult, type Task } from './agent.ts'

const task: Task = {
  prompt: 'Implement the progress bar',
  gitContext: { remote: 'r', repoRoot: '/r', branch: 'main', headSha: 'abc', dirty: false, collectedAt: 't' },
  paths: ['src/progress-bar.ts'],
  isReleasing: true,
}

const result = (tool: string, answer: object): ShownResult => ({ tool, text: JSON.stringify({ ok: true, ...answer }) })

const joined = result('join_workspace', {
  session: { agentId: 'codex-ab12' },
  stateHash: '1-a',
  nextRequiredTool: 'identify_intent',
})
const claimed = result('claim_scope', {
  claim: { claimId: 'c1' },
  stateHash: '4-d',
  nextRequiredTool: 'update_my_state',
})

const next = (results: ShownResult[], changes: Partial<Task> = {}) =>
  nextTurn({ tools: [], results }, { ...task, ...changes })

describe('the scripted agent knows only what the server says', () => {
  it('joins first, with what git says about its checkout', () => {
    expect(next([])).toEqual({ kind: 'call', tool: 'join_workspace', arguments: { gitContext: task.gitContext } })
  })

  it('calls the tool that the last answer names, as the agent that it was told it is', () => {
    const userPrompt = task.prompt
    const call = { kind: 'call', tool: 'identify_intent', arguments: { agentId: 'codex-ab12', userPrompt } }
    expect(next([joined])).toEqual(call)
  })

  it('decides on the newest state hash that it has seen, refusals included', () => {
    const read = result('read_team_state', { stateHash: '3-c', nextRequiredTool: 'claim_scope' })
    expect(next([joined, read])).toMatchObject({ tool: 'claim_scope', arguments: { expectedStateHash: '3-c' } })
    const refused = result('claim_scope', { ok: false, stateHash: '9-f', nextRequiredTool: 'claim_scope' })
    expect(next([joined, read, refused])).toMatchObject({ arguments: { expectedStateHash: '9-f' } })
  })

  it('gives its claim back once it is free to work, and ends', () => {
    const free = result('update_my_state', { nextRequiredTool: null, stateHash: '5-e' })
    expect(next([joined, claimed, free])).toMatchObject({ tool: 'release_scope', arguments: { claimId: 'c1' } })
    const released = result('release_scope', { nextRequiredTool: 'identify_intent' })
    expect(next([joined, claimed, free, released])).toMatchObject({ kind: 'text' })
  })

  it('keeps its claim when told to stop before that', () => {
    const free = result('update_my_state', { nextRequiredTool: null })
    expect(next([joined, claimed, free], { isReleasing: false })).toMatchObject({ kind: 'text' })
  })

  it.each([
    [
      'somebody else holds the paths',
      { ok: false, error: { code: 'SCOPE_CONFLICT' }, nextRequiredTool: 'claim_scope' },
    ],
    ['the answer is none', { ok: 'perhaps' }],
  ])('ends with the answer in its words when %s', (_, answer) => {
    const last = result('claim_scope', answer)
    const turn = next([joined, last])
    expect(turn.kind === 'text' && turn.text).toContain(last.text)
  })

  it('gives up rather than go round in circles', () => {
    const again = result('claim_scope', { ok: false, nextRequiredTool: 'claim_scope' })
    expect(next([joined, ...Array.from({ length: 11 }, () => again)])).toMatchObject({ kind: 'text' })
  })
})

it('finds the answer between the lines that clients put around it', () => {
  const text = `Wall time: 0.1 seconds\nOutput:\n${joined.text}\n`
  expect(answerOf({ tool: 'join_workspace', text })).toMatchObject({ ok: true, session: { agentId: 'codex-ab12' } })
})
