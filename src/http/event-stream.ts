import { AppError, toAppError } from '../kernel/errors.ts'
import { LIMITS, type Pace } from '../kernel/limits.ts'
import type { Log } from '../kernel/log.ts'

/** An event as far as the stream looks into it; its JSON is the data. */
export interface StreamedEvent {
  readonly seq: number
  readonly type: string
}

export interface StreamSource {
  readonly userId: string
  /** May this caller read this? Throws an AppError where not; asked before the answer and again while it is open. */
  check(): Promise<void>
  /** What to send. Must end when the signal says so. */
  follow(signal: AbortSignal): AsyncIterable<readonly StreamedEvent[]>
}

/** The open server-sent event streams (WHATWG HTML, section 9.2) of this replica. */
export interface EventStreams {
  /** @throws AppError RATE_LIMITED beyond LIMITS.streamsPerUser; UNAVAILABLE while draining; whatever `check` throws */
  open(source: StreamSource): Promise<Response>
  /** Ends all streams after a whole event; from now on there are no new ones. */
  drain(): void
}

const HEADERS = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-store',
  // nginx buffers answers otherwise.
  'X-Accel-Buffering': 'no',
}

const KEEP_ALIVE = new TextEncoder().encode(':\n\n')

type Controller = ReadableStreamDefaultController<Uint8Array>
type StreamPace = Pick<Pace, 'keepAliveMs' | 'recheckMs' | 'stallMs'>

export function createEventStreams(deps: { log: Log; pace: StreamPace }): EventStreams {
  const openByUser = new Map<string, Set<AbortController>>()
  let draining = false

  /** One of the person's places, given back when the stream is over. */
  function takePlace(userId: string): AbortController {
    if (draining) throw new AppError('UNAVAILABLE', undefined, { retryAfterMs: 1_000 })
    const places = openByUser.get(userId) ?? new Set()
    if (places.size >= LIMITS.streamsPerUser) {
      throw new AppError('RATE_LIMITED', `You have ${places.size} event streams open; close one first.`, {
        retryAfterMs: deps.pace.stallMs,
      })
    }
    const over = new AbortController()
    openByUser.set(userId, places.add(over))
    over.signal.addEventListener('abort', () => {
      places.delete(over)
      if (places.size === 0) openByUser.delete(userId)
    })
    return over
  }

  return {
    async open(source) {
      const over = takePlace(source.userId)
      try {
        await source.check()
      } catch (thrown) {
        over.abort()
        throw thrown
      }
      return new Response(createBody(source, over, deps), { headers: HEADERS })
    },
    drain() {
      draining = true
      for (const places of openByUser.values()) for (const over of places) over.abort()
    },
  }
}

/**
 * Made by pulling: the next events are read when the socket has taken the last ones, so a slow reader costs one batch.
 * `over` is where everything ends; whoever ends it leaves the rest to the listeners on its signal.
 */
function createBody(
  source: StreamSource,
  over: AbortController,
  { log, pace }: { log: Log; pace: StreamPace },
): ReadableStream<Uint8Array> {
  const chunks = encoded(source.follow(over.signal), over.signal)
  let stall: NodeJS.Timeout | undefined
  let cancelled = false

  function awaitReader(controller: Controller): void {
    stall = setTimeout(() => {
      over.abort()
      // Not `close`: the socket would stay, with what is in its buffer.
      controller.error(new Error('the reader of an event stream took nothing for too long'))
    }, pace.stallMs)
  }

  function start(controller: Controller): void {
    const keepAlive = setInterval(() => {
      if (controller.desiredSize === 0) controller.enqueue(KEEP_ALIVE)
    }, pace.keepAliveMs)
    const recheck = setInterval(() => {
      source.check().catch((thrown: unknown) => {
        if (toAppError(thrown).code !== 'UNAVAILABLE') over.abort()
      })
    }, pace.recheckMs)
    over.signal.addEventListener('abort', () => {
      clearInterval(keepAlive)
      clearInterval(recheck)
    })
    // Nobody may ever read: the body of an answer to HEAD.
    awaitReader(controller)
  }

  async function pull(controller: Controller): Promise<void> {
    clearTimeout(stall)
    const next = await chunks.next().catch((err: unknown) => {
      log.error({ err }, 'an event stream failed')
      return null
    })
    if (cancelled) return
    if (next === null || next.done === true) {
      over.abort()
      controller.close()
    } else {
      controller.enqueue(next.value)
      awaitReader(controller)
    }
  }

  function cancel(): void {
    cancelled = true
    clearTimeout(stall)
    over.abort()
  }

  return new ReadableStream({ start, pull, cancel }, { highWaterMark: 0 })
}

/** Whole events, as many as make a chunk. */
async function* encoded(
  batches: AsyncIterable<readonly StreamedEvent[]>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  const encoder = new TextEncoder()
  for await (const batch of batches) {
    let text = ''
    for (const event of batch) {
      text += `id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
      if (text.length < LIMITS.streamChunkChars && event !== batch.at(-1)) continue
      if (signal.aborted) return
      yield encoder.encode(text)
      text = ''
    }
  }
}
