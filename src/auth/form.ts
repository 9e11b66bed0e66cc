import type { HonoRequest } from 'hono'
import { AppError } from '../kernel/errors.ts'
import { OAuthError } from './oauth-error.ts'

/** A request's parameters, each at most once. An empty value counts as absent (OAuth 2.1 §3.1). */
export type Parameters = ReadonlyMap<string, string>

/**
 * Reads an `application/x-www-form-urlencoded` body.
 *
 * @throws AppError PAYLOAD_TOO_LARGE
 * @throws OAuthError invalid_request for another content type or a parameter that is there twice (S-30) or holds a NUL.
 */
export async function readForm(request: HonoRequest, maxBytes: number): Promise<Parameters> {
  const type = request.header('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/x-www-form-urlencoded') {
    throw new OAuthError('invalid_request', 'The body must be application/x-www-form-urlencoded.')
  }
  const all = new URLSearchParams(await readText(request, maxBytes))
  const twice = duplicateIn(all)
  if (twice !== undefined) throw new OAuthError('invalid_request', 'A parameter is there more than once.')
  // The one character that the database does not take.
  if ([...all.values()].some((value) => value.includes('\0'))) {
    throw new OAuthError('invalid_request', 'A parameter contains a NUL character.')
  }
  return parametersOf(all)
}

/** Each parameter's first value. */
export function parametersOf(all: URLSearchParams): Parameters {
  const parameters = new Map<string, string>()
  for (const [name, value] of all) if (value !== '' && !parameters.has(name)) parameters.set(name, value)
  return parameters
}

/** The name of a parameter that is there more than once. */
export function duplicateIn(all: URLSearchParams): string | undefined {
  return [...all.keys()].find((name) => all.getAll(name).length > 1)
}

/** @throws OAuthError invalid_request when the parameter is absent. */
export function required(parameters: Parameters, name: string): string {
  const value = parameters.get(name)
  if (value === undefined) throw new OAuthError('invalid_request', `The parameter ${name} is missing.`)
  return value
}

/**
 * The body as text, given up as soon as it is longer than `maxBytes`, whatever Content-Length says.
 *
 * @throws AppError PAYLOAD_TOO_LARGE
 */
export async function readText(request: HonoRequest, maxBytes: number): Promise<string> {
  const { body } = request.raw
  if (body === null) return ''
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength
    if (bytes > maxBytes) throw new AppError('PAYLOAD_TOO_LARGE')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
