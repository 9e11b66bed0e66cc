import type { Log } from '../kernel/log.ts'

/** Where a stream goes. */
export interface Sink {
  /** Takes whole events. False where that is enough for now: `Flow.ready` says when there may be more. */
  readonly write: (text: string) => boolean
  /** Takes a sign of life, where nothing else waits to be sent. */
  readonly beat: (text: string) => void
  /** Ends after what was written. */
  readonly end: () => void
  /** Ends at once, without what waits to be sent: a socket whose reader takes nothing would stay, with what is in its buffer. */
  readonly cut: (error: Error) => void
}

/** Why a flow ended by itself. */
export type FlowEnd = 'reader_left' | 'stalled' | 'source_ended' | 'failed'

export interface FlowRules {
  readonly log: Log
  /** How long a reader may take nothing. */
  readonly stallMs: number
  /** Called once, when it is over; where it was ended from outside, after that. */
  ended(why: FlowEnd): void
}

const STALLED = new Error('the reader of an event stream took nothing for too long')

/** A comment, which readers pass over. */
const KEEP_ALIVE = ':\n\n'

/**
 * A stream on its way to its reader. What comes next is made when the sink has taken the last, so a slow reader costs one
 * batch; one that takes nothing for too long is cut.
 *
 * Thousands are open at once, each for hours: a class, because functions that close over variables would be made for each.
 */
export class Flow {
  readonly #chunks: AsyncGenerator<string, void>
  readonly #rules: FlowRules
  #sink: Sink | null = null
  #stall: NodeJS.Timeout | undefined
  /** The reader has asked for more since the last write. */
  #wanted = false
  #wake: () => void = () => undefined
  #over = false

  /** @param chunks whole server-sent events; must end when whoever ends the flow from outside says so */
  constructor(chunks: AsyncGenerator<string, void>, rules: FlowRules) {
    this.#chunks = chunks
    this.#rules = rules
    // Nobody may ever read: the body of an answer to HEAD.
    this.#awaitReader()
  }

  /** Begins to send. Once. */
  into(sink: Sink): void {
    clearTimeout(this.#stall)
    this.#sink = sink
    if (this.#over) sink.cut(STALLED)
    else void this.#run(sink)
  }

  /** The reader has taken what there was. */
  ready(): void {
    clearTimeout(this.#stall)
    this.#wanted = true
    this.#wake()
  }

  /** The reader reads no more. */
  left(): void {
    this.#abandon('reader_left')
  }

  keepAlive(): void {
    if (!this.#over) this.#sink?.beat(KEEP_ALIVE)
  }

  async #run(sink: Sink): Promise<void> {
    let why: FlowEnd = 'source_ended'
    try {
      await this.#send(sink)
    } catch (err) {
      this.#rules.log.error({ err }, 'an event stream failed')
      why = 'failed'
    }
    if (this.#over) return
    this.#over = true
    this.#rules.ended(why)
    sink.end()
  }

  async #send(sink: Sink): Promise<void> {
    for (;;) {
      const next = await this.#chunks.next()
      if (this.#over || next.done === true) return
      this.#wanted = false
      if (!sink.write(next.value) && !this.#wanted) await this.#untilReady()
    }
  }

  async #untilReady(): Promise<void> {
    this.#awaitReader()
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  #awaitReader(): void {
    this.#stall = setTimeout(() => {
      this.#abandon('stalled')
      this.#sink?.cut(STALLED)
    }, this.#rules.stallMs)
  }

  /** Nobody reads any more. What the source holds is let go also where it waits to be asked for the next chunk. */
  #abandon(why: FlowEnd): void {
    if (this.#over) return
    this.#over = true
    this.#rules.ended(why)
    this.ready()
    this.#chunks.return().catch((err: unknown) => this.#rules.log.error({ err }, 'an event stream could not be ended'))
  }
}

/** As the body of a response, for a reader that is not a socket: made by pulling. */
export function bodyOf(flow: Flow): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let begun = false
  const sinkOf = (controller: ReadableStreamDefaultController<Uint8Array>): Sink => ({
    write(text) {
      controller.enqueue(encoder.encode(text))
      return false
    },
    beat(text) {
      if (controller.desiredSize === 0) controller.enqueue(encoder.encode(text))
    },
    end: () => controller.close(),
    cut: (error) => controller.error(error),
  })
  return new ReadableStream(
    {
      pull(controller) {
        if (begun) flow.ready()
        else flow.into(sinkOf(controller))
        begun = true
      },
      cancel: () => flow.left(),
    },
    { highWaterMark: 0 },
  )
}
