import { AppError } from '../kernel/errors.ts'

/**
 * Reads a JSON body within bounds: size while reading (also without Content-Length), nesting before parsing, since
 * JSON.parse spends seconds on millions of brackets.
 *
 * @throws AppError UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE, INVALID_INPUT
 */
export async function readJson(request: Request, limits: { bytes: number; depth: number }): Promise<unknown> {
  const type = request.headers.get('content-type') ?? ''
  if (type !== 'application/json' && !/^application\/json\s*(;|$)/iu.test(type))
    throw new AppError('UNSUPPORTED_MEDIA_TYPE')
  const text = await readText(request, limits.bytes)
  if (nestedDeeperThan(text, limits.depth)) throw invalid(`is nested deeper than ${limits.depth} levels`)
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw invalid('is not valid JSON')
  }
}

function invalid(message: string): AppError {
  return new AppError('INVALID_INPUT', `The request body ${message}.`, { details: { issues: [{ path: '', message }] } })
}

async function readText(request: Request, maxBytes: number): Promise<string> {
  const tooLarge = () => new AppError('PAYLOAD_TOO_LARGE', undefined, { details: { maxBytes } })
  const declared = declaredBytes(request.headers)
  if (declared !== null && declared > maxBytes) throw tooLarge()
  const bytes = declared === null ? await readStream(request, maxBytes) : await request.arrayBuffer()
  if (bytes === null || bytes.byteLength > maxBytes) throw tooLarge()
  try {
    return UTF8.decode(bytes)
  } catch {
    throw invalid('is not UTF-8')
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true })

/**
 * What Content-Length says. Node's parser hands on no more than that, and refuses a request with Transfer-Encoding beside it
 * (RFC 9112 section 6.3), so such a body may be taken whole. As a stream it costs more than all the rest of a trivial call,
 * since @hono/node-server has to make one of the web's.
 */
function declaredBytes(headers: Headers): number | null {
  const declared = headers.get('content-length') ?? ''
  return /^\d+$/u.test(declared) ? Number(declared) : null
}

/** A body of unknown length; null as soon as there is too much of it. */
async function readStream({ body }: Request, maxBytes: number): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = []
  let size = 0
  if (body !== null) {
    for await (const chunk of body) {
      size += chunk.byteLength
      if (size > maxBytes) return null
      chunks.push(chunk)
    }
  }
  return Buffer.concat(chunks)
}

/** True as soon as brackets outside of strings nest deeper than `depth`. One pass, no recursion. */
export function nestedDeeperThan(json: string, depth: number): boolean {
  let level = 0
  let inString = false
  for (let i = 0; i < json.length; i += 1) {
    const character = json.charCodeAt(i)
    if (inString) {
      if (character === BACKSLASH) i += 1
      else if (character === QUOTE) inString = false
    } else if (character === QUOTE) inString = true
    else if (character === OPEN_BRACE || character === OPEN_BRACKET) {
      level += 1
      if (level > depth) return true
    } else if (character === CLOSE_BRACE || character === CLOSE_BRACKET) level -= 1
  }
  return false
}

const [BACKSLASH, QUOTE, OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = ['\\', '"', '{', '}', '[', ']'].map(
  (character) => character.charCodeAt(0),
)
