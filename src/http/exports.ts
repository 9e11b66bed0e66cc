import { AppError } from '../kernel/errors.ts'
import { invalidInput } from '../kernel/input.ts'
import { LIMITS, type Pace } from '../kernel/limits.ts'

/** Exports of logs as NDJSON: one entry a line, as long as there are more. */
export interface Exports {
  /**
   * Answers with all parts. The first is read before the answer begins, so that a refusal is one; after it a part that
   * cannot be read breaks the connection, since an end would say that this was all.
   *
   * @throws AppError RATE_LIMITED beyond LIMITS.exportsPerUser; whatever the first part throws
   */
  open(userId: string, name: string, parts: AsyncIterable<readonly object[]>): Promise<Response>
}

const NDJSON = 'application/x-ndjson'

/**
 * Whether a reader wants the export: `format` says so, or where it is missing `Accept` does.
 *
 * @throws AppError INVALID_INPUT for a format that there is not
 */
export function wantsExport(headers: Headers, format: string | undefined): boolean {
  if (format === undefined) return /\bapplication\/(?:x-)?ndjson\b/iu.test(headers.get('accept') ?? '')
  if (format === 'json' || format === 'ndjson') return format === 'ndjson'
  throw invalidInput([{ path: 'format', message: 'must be json or ndjson' }])
}

const encoder = new TextEncoder()

export function createExports({ pace }: { pace: Pick<Pace, 'stallMs'> }): Exports {
  const openByUser = new Map<string, number>()

  function takePlace(userId: string): () => void {
    const open = openByUser.get(userId) ?? 0
    if (open >= LIMITS.exportsPerUser) {
      const message = `You are reading ${open} exports already; let one end first.`
      throw new AppError('RATE_LIMITED', message, { retryAfterMs: pace.stallMs })
    }
    openByUser.set(userId, open + 1)
    let given = false
    return () => {
      if (given) return
      given = true
      const left = (openByUser.get(userId) ?? 1) - 1
      if (left === 0) openByUser.delete(userId)
      else openByUser.set(userId, left)
    }
  }

  return {
    async open(userId, name, parts) {
      const giveBack = takePlace(userId)
      const reading = parts[Symbol.asyncIterator]()
      try {
        const first = await reading.next()
        return new Response(bodyOf(first, reading, giveBack, pace.stallMs), {
          headers: {
            'Content-Type': NDJSON,
            'Content-Disposition': `attachment; filename="${name}.ndjson"`,
            'Cache-Control': 'no-store',
          },
        })
      } catch (thrown) {
        giveBack()
        throw thrown
      }
    },
  }
}

type Part = IteratorResult<readonly object[]>

/** Made by pulling: the next part is read when the socket has taken the last one. */
function bodyOf(
  first: Part,
  reading: AsyncIterator<readonly object[]>,
  giveBack: () => void,
  stallMs: number,
): ReadableStream<Uint8Array> {
  let next: Part | null = first
  let stall: NodeJS.Timeout | undefined
  const end = () => {
    clearTimeout(stall)
    giveBack()
    // What it holds is let go; it has nothing more to say.
    reading.return?.().catch(() => undefined)
  }
  const awaitReader = (controller: ReadableStreamDefaultController<Uint8Array>) => {
    stall = setTimeout(() => {
      end()
      controller.error(new Error('the reader of an export took nothing for too long'))
    }, stallMs)
  }
  return new ReadableStream<Uint8Array>(
    {
      start: awaitReader,
      async pull(controller) {
        clearTimeout(stall)
        try {
          const part = next ?? (await reading.next())
          next = null
          if (part.done === true) {
            end()
            controller.close()
            return
          }
          controller.enqueue(encoder.encode(part.value.map((entry) => `${JSON.stringify(entry)}\n`).join('')))
          awaitReader(controller)
        } catch (thrown) {
          end()
          controller.error(thrown)
        }
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  )
}
