import { AppError } from '../kernel/errors.ts'

/**
 * Reads a JSON body within bounds: size while reading (also without Content-Length), nesting before parsing, since
 * JSON.parse spends seconds on millions of brackets.
 *
 * @throws AppError UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE, INVALID_INPUT
 */
export async function readJson(request: Request, limits: { bytes: number; depth: number }): Promise<unknown> {
  const type = request.headers.get('content-type') ?? ''
  if (!/^application\/json\s*(;|$)/iu.test(type)) throw new AppError('UNSUPPORTED_MEDIA_TYPE')
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
  const declared = Number(request.headers.get('content-length') ?? 0)
  const tooLarge = () => new AppError('PAYLOAD_TOO_LARGE', undefined, { details: { maxBytes } })
  if (declared > maxBytes) throw tooLarge()
  const chunks: Uint8Array[] = []
  let size = 0
  if (request.body !== null) {
    for await (const chunk of request.body) {
      size += chunk.byteLength
      if (size > maxBytes) throw tooLarge()
      chunks.push(chunk)
    }
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch {
    throw invalid('is not UTF-8')
  }
}

/** True as soon as brackets outside of strings nest deeper than `depth`. One pass, no recursion. */
export function nestedDeeperThan(json: string, depth: number): boolean {
  let level = 0
  let inString = false
  for (let i = 0; i < json.length; i += 1) {
    const character = json[i]
    if (inString) {
      if (character === '\\') i += 1
      else if (character === '"') inString = false
    } else if (character === '"') inString = true
    else if (character === '{' || character === '[') {
      level += 1
      if (level > depth) return true
    } else if (character === '}' || character === ']') level -= 1
  }
  return false
}
