import { ERRORS } from './errors.ts'

// What is counted and measured, in one table, for whoever runs the server. Nothing here knows how it is told (observe/).

/** The upper bounds of what takes from a round trip to the database to its time limits, in seconds. */
const DURATIONS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10] as const

/**
 * What a label may say. A value that is not in its list is told as `other`, so the number of series is bounded, and what
 * somebody sent (a name, an id, a path) is never in a label. Empty lists are filled where everything is put together.
 */
export const LABELS = {
  route: [],
  method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
  status: ['1xx', '2xx', '3xx', '4xx', '5xx'],
  tool: [],
  outcome: ['ok', 'unknown_tool', ...Object.keys(ERRORS)],
  code: Object.keys(ERRORS),
  event: [],
  resource: ['mcp', 'rest'],
  result: ['accepted', 'refused', 'absent', 'unavailable'],
  rate: ['calls', 'sensitive calls'],
  stream: ['rest', 'mcp'],
  end: ['reader_left', 'right_lost', 'stalled', 'source_ended', 'failed', 'drained'],
  round: ['led', 'followed', 'failed'],
  version: [],
  node: [],
} as const satisfies Readonly<Record<string, readonly string[]>>
export type Label = keyof typeof LABELS

interface Figure {
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly labels: readonly Label[]
  /** Of a histogram: upper bounds, ascending. */
  readonly buckets?: readonly number[]
}

type Labelled = readonly Label[]
const counter = <const L extends Labelled>(help: string, ...labels: L) => ({ kind: 'counter', help, labels }) as const
const gauge = <const L extends Labelled>(help: string, ...labels: L) => ({ kind: 'gauge', help, labels }) as const
const duration = <const L extends Labelled>(help: string, ...labels: L) =>
  ({ kind: 'histogram', help, labels, buckets: DURATIONS }) as const

/** Every figure by the name that Prometheus knows it by. Names and meanings are a contract with whoever has alerts on them. */
export const FIGURES = {
  orkestrate_http_request_duration_seconds: duration(
    'HTTP requests, until their headers.',
    'route',
    'method',
    'status',
  ),
  orkestrate_problems_total: counter('HTTP answers that tell an error, by its code.', 'code'),
  orkestrate_authentications_total: counter('Looks at an Authorization header.', 'resource', 'result'),
  orkestrate_rate_limited_total: counter('Calls refused because of a rate.', 'rate'),
  orkestrate_tool_call_duration_seconds: duration('Tool calls, by ok or the code of the refusal.', 'tool', 'outcome'),
  orkestrate_journal_events_total: counter('Events committed by this replica.', 'event'),
  orkestrate_workspace_wait_seconds: duration('From asking for a change of a workspace to its turn, with the lock.'),
  orkestrate_workspace_changes_waiting: gauge('Changes of this replica that wait for that now.'),
  orkestrate_event_streams: gauge('Event streams open.', 'stream'),
  orkestrate_event_streams_ended_total: counter('Event streams that ended, and why.', 'stream', 'end'),
  orkestrate_db_connections_max: gauge('The most connections that the pool opens.'),
  orkestrate_db_connections_in_use: gauge('Connections at work.'),
  orkestrate_db_calls_waiting: gauge('Calls that wait for a connection.'),
  orkestrate_db_acquire_duration_seconds: duration('From asking for a connection to having one.'),
  orkestrate_db_retries_total: counter('Transactions run again after a serialization failure or deadlock.'),
  orkestrate_db_unavailable_total: counter('Calls that the database did not answer in time or at all.'),
  orkestrate_sweeper_rounds_total: counter('Rounds of the sweeper: led, followed (another replica leads).', 'round'),
  orkestrate_event_loop_delay_seconds: duration('The longest delay of the event loop in each second.'),
  orkestrate_event_loop_active_seconds_total: counter('Time that the event loop was at work.'),
  orkestrate_build_info: gauge('1, with the build.', 'version', 'node'),
  process_cpu_seconds_total: counter('CPU time, user and system.'),
  process_resident_memory_bytes: gauge('Resident memory.'),
  process_start_time_seconds: gauge('When the process started, in Unix time.'),
  process_open_fds: gauge('Open file descriptors.'),
  nodejs_heap_size_used_bytes: gauge('Heap in use.'),
  nodejs_heap_size_limit_bytes: gauge('Heap at which Node gives up.'),
} as const satisfies Readonly<Record<string, Figure>>

export type FigureName = keyof typeof FIGURES
type Of<Kind> = { [Name in FigureName]: (typeof FIGURES)[Name]['kind'] extends Kind ? Name : never }[FigureName]
type LabelsOf<Name extends FigureName> = { readonly [L in (typeof FIGURES)[Name]['labels'][number]]: string }

/** Never throws, never waits, and costs well under a microsecond. */
export interface Metrics {
  count<Name extends Of<'counter'>>(name: Name, labels: LabelsOf<Name>, by?: number): void
  observe<Name extends Of<'histogram'>>(name: Name, labels: LabelsOf<Name>, value: number): void
  /** Starts a clock. What is returned observes the seconds since, once. */
  timer<Name extends Of<'histogram'>>(name: Name): (labels: LabelsOf<Name>) => void
  /** One more, until what is returned is called; calling it again does nothing. */
  hold<Name extends Of<'gauge'>>(name: Name, labels: LabelsOf<Name>): () => void
  /** Asks `value` whenever somebody looks. */
  read<Name extends Of<'gauge' | 'counter'>>(name: Name, labels: LabelsOf<Name>, value: () => number): void
}

const nothing = () => undefined

/** For what runs where nobody looks. */
export const NO_METRICS: Metrics = {
  count: nothing,
  observe: nothing,
  timer: () => nothing,
  hold: () => nothing,
  read: nothing,
}
