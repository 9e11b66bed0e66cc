import { INTENT_IDS, INTENTS } from '../../src/modules/workflow/intent.ts'
import {
  EDITABLE,
  HANDOFF,
  NOT_EDITABLE,
  workflowOf,
  type Phase,
  type Workflow,
} from '../../src/modules/workflow/machine.ts'

const WORKFLOWS = [
  { title: 'Intents that edit files', table: EDITABLE },
  { title: 'Intents that do not edit files', table: NOT_EDITABLE },
  { title: 'Handing over', table: HANDOFF },
] as const

/** The workflow section of docs/protocol.md: for each table of machine.ts its intents, a diagram and the table itself. */
export function workflowSection(): string {
  return WORKFLOWS.map(({ title, table }) => {
    const intents = INTENT_IDS.filter((id) => workflowOf(id) === table).map((id) => `\`${id}\``)
    return [`#### ${title}: ${intents.join(', ')}`, diagram(table), phases(table)].join('\n\n')
  }).join('\n\n')
}

function rows(table: Workflow) {
  return Object.entries(table).map(([phase, row]) => ({ phase, ...row }))
}

/** Steps that stay where they are would only clutter the picture; the table below it has them. */
function diagram(table: Workflow): string {
  const edges = rows(table).flatMap(({ phase, on }) => {
    const targets = new Map<Phase | 'done', string[]>()
    for (const [step, to] of Object.entries(on)) {
      if (to !== phase) targets.set(to, [...(targets.get(to) ?? []), step])
    }
    return [...targets].map(([to, steps]) => `    ${phase} --> ${to === 'done' ? '[*]' : to}: ${steps.join(', ')}`)
  })
  return ['```mermaid', 'stateDiagram-v2', '    [*] --> identified: identify_intent', ...edges, '```'].join('\n')
}

function phases(table: Workflow): string {
  const lines = rows(table).map(({ phase, next, on }) => {
    const steps = Object.entries(on).map(([step, to]) => `${step} → ${to}`)
    return `| \`${phase}\` | ${next === null ? 'free to work' : `\`${next}\``} | ${steps.join('<br>')} |`
  })
  return ['| phase | `nextRequiredTool` | steps |', '| --- | --- | --- |', ...lines].join('\n')
}

/** The intents, as docs/protocol.md lists them. */
export function intentTable(): string {
  const lines = INTENT_IDS.map((id) => `| \`${id}\` | ${INTENTS[id].editable ? 'yes' : 'no'} | ${INTENTS[id].what} |`)
  return ['| intent | edits files | when |', '| --- | --- | --- |', ...lines].join('\n')
}
