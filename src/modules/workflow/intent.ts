/** What a run may be for. The order is the order of columns in the classifier's weights: append, never reorder. */
export const INTENT_IDS = [
  'implement',
  'assist',
  'takeover',
  'plan',
  'review',
  'observe',
  'delegate',
  'handoff',
] as const

export type IntentId = (typeof INTENT_IDS)[number]

export interface Intent {
  /** True when a run with this intent may claim paths and publish a footprint. */
  readonly editable: boolean
  readonly title: string
  /** One sentence that tells an agent when this is the intent. */
  readonly what: string
}

/** The closed table of intents; `docs/intents.md` has the labelling guide with examples. */
export const INTENTS: Readonly<Record<IntentId, Intent>> = {
  implement: {
    editable: true,
    title: 'Implement',
    what: 'Change the code base: add, fix, refactor, test, configure, document, migrate, commit.',
  },
  assist: {
    editable: true,
    title: 'Assist',
    what: 'Help another agent or person with work that they are doing and go on doing.',
  },
  takeover: {
    editable: true,
    title: 'Take over',
    what: 'Continue work that another agent or person left, lost or is giving up.',
  },
  plan: {
    editable: false,
    title: 'Plan',
    what: 'Work out a plan, design, specification, estimate or list of tasks, without editing.',
  },
  review: {
    editable: false,
    title: 'Review',
    what: 'Judge code, a diff, a pull request or a document and report, without editing.',
  },
  observe: {
    editable: false,
    title: 'Observe',
    what: 'Look, explain, answer or report status; also everything that asks for nothing.',
  },
  delegate: {
    editable: false,
    title: 'Delegate',
    what: 'Give work to another agent or person, or split it among several.',
  },
  handoff: {
    editable: false,
    title: 'Hand off',
    what: 'End my own work and pass it on to whoever continues.',
  },
}
