import { AppError, toAppError } from '../kernel/errors.ts'
import { LIMITS, type Pace } from '../kernel/limits.ts'
import type { Log } from '../kernel/log.ts'
import { NO_METRICS, type Metrics } from '../kernel/metrics.ts'
import type { Reader, SourcedEvent, StreamSource } from '../kernel/stream.ts'
import { bodyOf, Flow, type FlowEnd } from './flow.ts'

/** Whose they are. */
export type StreamKind = 'rest' | 'mcp'

/** Why a stream ended: the reason that its signal has. */
type End = FlowEnd | 'right_lost' | 'drained'

/** The open server-sent event streams (WHATWG HTML, section 9.2) of this replica: those of REST and those of MCP. */
export interface EventStreams {
  /**
   * An answer whose body is the stream, for whoever reads it.
   *
   * @param request whose answer it is: `flowOf` has its stream then
   * @throws AppError RATE_LIMITED beyond LIMITS.streamsPerUser; UNAVAILABLE while draining; whatever `check` throws
   */
  open(source: StreamSource, kind: StreamKind, request?: Request): Promise<Response>
  /** The stream that answers a request, to be sent without its body; nothing where it is not answered by one. */
  flowOf(request: Request): Flow | undefined
  /** Looks at once whether the person, or everybody, still may read what they read: for when a token was revoked. */
  recheck(userId?: string): void
  /** Ends all streams after a whole event; from now on there are no new ones. */
  drain(): void
}

const HEADERS = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-store',
  // nginx buffers answers otherwise.
  'X-Accel-Buffering': 'no',
}

type StreamPace = Pick<Pace, 'keepAliveMs' | 'recheckMs' | 'stallMs'>

/** One of a person's places, given back when `over` is aborted: whoever ends a stream does nothing else. */
interface Place {
  readonly over: AbortController
  readonly checks: Checks
}

export function createEventStreams(deps: { log: Log; pace: StreamPace; metrics?: Metrics }): EventStreams {
  const { log, pace, metrics = NO_METRICS } = deps
  const openByUser = new Map<string, Set<Place>>()
  const flows = new WeakMap<Request, Flow>()
  let draining = false

  function takePlace(source: StreamSource): Place {
    const { userId } = source
    if (draining) throw new AppError('UNAVAILABLE', undefined, { retryAfterMs: 1_000 })
    const places = openByUser.get(userId) ?? new Set()
    if (places.size >= LIMITS.streamsPerUser) {
      throw new AppError('RATE_LIMITED', `You have ${places.size} event streams open; close one first.`, {
        retryAfterMs: pace.stallMs,
      })
    }
    const over = new AbortController()
    const place = { over, checks: createChecks(source, over) }
    openByUser.set(userId, places.add(place))
    over.signal.addEventListener('abort', () => {
      places.delete(place)
      if (places.size === 0) openByUser.delete(userId)
    })
    return place
  }

  return {
    async open(source, kind, request) {
      const place = takePlace(source)
      const { over, checks } = place
      try {
        await source.check()
        await source.watch(checks.now, over.signal)
      } catch (thrown) {
        end(over, 'failed')
        throw thrown
      }
      const ended = (why: FlowEnd) => end(over, why)
      const flow = new Flow(source.chunks(over.signal), { log, stallMs: pace.stallMs, ended })
      const noLongerOpen = metrics.hold('orkestrate_event_streams', { stream: kind })
      const keepAlive = setInterval(() => flow.keepAlive(), pace.keepAliveMs)
      const recheck = setInterval(checks.again, pace.recheckMs)
      const stop = () => {
        clearInterval(keepAlive)
        clearInterval(recheck)
        noLongerOpen()
        metrics.count('orkestrate_event_streams_ended_total', { stream: kind, end: String(over.signal.reason) })
      }
      if (over.signal.aborted) stop()
      else over.signal.addEventListener('abort', stop)
      // What happened between the two.
      checks.now()
      if (request !== undefined) flows.set(request, flow)
      return new Response(bodyOf(flow), { headers: HEADERS })
    },
    flowOf: (request) => flows.get(request),
    recheck(userId) {
      const some = userId === undefined ? [...openByUser.values()] : [openByUser.get(userId) ?? []]
      for (const places of some) for (const { checks } of places) checks.now()
    },
    drain() {
      draining = true
      for (const places of openByUser.values()) for (const { over } of places) end(over, 'drained')
    },
  }
}

function end(over: AbortController, why: End): void {
  over.abort(why)
}

/** Of the looks that time makes, each so many-th is a whole one: a member who was deleted by hand is in no journal. */
const WHOLE_EVERY = 6

interface Checks {
  /** Something happened. A check under way may have looked before that, so another one follows it. */
  readonly now: () => void
  /** Time passed: mostly only the caller is looked at. Checks never pile up: on a slow database they would keep it slow. */
  readonly again: () => void
}

/** Ends a stream whose reader may not read any more; while the database is away it stays. */
function createChecks(reader: Reader, over: AbortController): Checks {
  let checking = false
  let wanted = false
  let looks = 0

  async function run(first: () => Promise<void>): Promise<void> {
    checking = true
    for (let check: typeof first | null = first; check !== null && !over.signal.aborted;) {
      wanted = false
      await check().catch((thrown: unknown) => {
        if (toAppError(thrown).code !== 'UNAVAILABLE') end(over, 'right_lost')
      })
      check = wanted ? () => reader.check() : null
    }
    checking = false
  }

  return {
    now() {
      wanted = true
      if (!checking) void run(() => reader.check())
    },
    again() {
      looks += 1
      if (!checking) void run(() => (looks % WHOLE_EVERY === 0 ? reader.check() : reader.checkCaller()))
    },
  }
}

/** Events as server-sent events: whole ones, as many as make a chunk. */
export async function* eventChunks(
  batches: AsyncIterable<readonly SourcedEvent[]>,
  signal: AbortSignal,
): AsyncGenerator<string, void> {
  for await (const batch of batches) {
    let text = ''
    for (const event of batch) {
      text += `id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
      if (text.length < LIMITS.streamChunkChars && event !== batch.at(-1)) continue
      if (signal.aborted) return
      yield text
      text = ''
    }
  }
}
