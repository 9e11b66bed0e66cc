import { shortList } from '../../kernel/bounds.ts'
import type { AgentState } from './session.ts'

/** What a session published, as answers show it: long lists are cut. */
export function stateView(state: AgentState) {
  const { footprint, plan, completed, ...rest } = state
  return {
    ...rest,
    ...shortList('footprint', footprint),
    ...shortList('plan', plan),
    ...shortList('completed', completed),
  }
}
