import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { FetchLike } from '../support/oauth.ts'

/**
 * Stoplight Prism as a validating proxy: each request and its answer are judged by the OpenAPI document. Prism does the
 * routing and the judging; the forwarding is ours, since Prism's own sends a JSON text without its quotes, leaves out `0` and
 * `false`, and reads an event stream to an end that does not come.
 */

/** An exchange that Prism has seen. */
export interface Exchange {
  readonly method: string
  /** As in the document; null: it has no such operation. */
  readonly operation: string | null
  readonly status: number
  readonly faults: readonly string[]
}

export interface Prism {
  /** Sends a request on, judges it and its answer, and tells what it found. */
  readonly fetch: FetchLike
}

interface PrismInput {
  readonly method: string
  readonly url: { readonly path: string; readonly query: Record<string, string | string[]> }
  readonly headers: Record<string, string>
  readonly body: unknown
}

interface Violation {
  readonly message: string
  readonly severity: number
  readonly path?: readonly (string | number)[]
}

type Either<T> = { readonly _tag: 'Left'; readonly left: Error } | { readonly _tag: 'Right'; readonly right: T }

interface Judged {
  readonly resource?: { readonly method: string; readonly path: string; readonly iid?: string }
  readonly validations: { readonly input: readonly Violation[]; readonly output: readonly Violation[] }
}

interface PrismHttp {
  getHttpOperationsFromSpec(document: object): Promise<readonly object[]>
  createInstance(
    config: object,
    components: object,
  ): { request(input: PrismInput, operations: readonly object[]): () => Promise<Either<Judged>> }
}

const LOGGER = Object.fromEntries(
  ['trace', 'debug', 'info', 'success', 'warn', 'error', 'fatal'].map((level) => [level, () => undefined]),
)
const SILENT: Record<string, unknown> = { ...LOGGER, child: () => SILENT }

const STREAM = /^(?:text\/event-stream|application\/x-ndjson)\b/u

/** What is answered without Prism: it is no part of the document. */
const OUTSIDE = /^\/(?!api\/)|^\/api\/(?:mcp|oauth|openapi\.json)\b/u

/**
 * @param folder where Prism is installed
 * @param seen told of every exchange
 */
export async function startPrism(
  folder: string,
  document: Documented,
  upstream: FetchLike,
  seen: (exchange: Exchange) => void,
): Promise<Prism> {
  const prism = createRequire(join(folder, 'package.json'))('@stoplight/prism-http') as PrismHttp
  // It changes what it is given.
  const operations = await prism.getHttpOperationsFromSpec(structuredClone(document))

  async function judged(url: URL, init: RequestInit): Promise<Response> {
    const answers: Response[] = []
    const forward = () => () => async () => {
      const response = await upstream(url.href, init)
      answers.push(response)
      return { _tag: 'Right', right: await outputOf(response) }
    }
    const config = { isProxy: true, upstream: new URL(url.origin), errors: false, mock: {} }
    const checks = { checkSecurity: true, validateRequest: true, validateResponse: true }
    const instance = prism.createInstance({ ...config, ...checks }, { logger: SILENT, forward })
    const input = inputOf(url, init)
    const result = await instance.request(input, operations)()
    const [response] = answers
    if (response === undefined) throw result._tag === 'Left' ? result.left : new Error('Prism forwarded nothing')
    const method = (init.method ?? 'GET').toUpperCase()
    const found = operationOf(document, method, url.pathname)
    const faults =
      result._tag === 'Left'
        ? [result.left.message]
        : faultsOf(withBody(result.right, input.body), found?.statuses ?? null, response.status)
    seen({ method, operation: found?.path ?? null, status: response.status, faults })
    return response
  }

  return {
    async fetch(url, init = {}) {
      const absolute = new URL(url)
      const isDescribed = !OUTSIDE.test(absolute.pathname) && !['HEAD', 'OPTIONS'].includes(init.method ?? 'GET')
      return isDescribed ? judged(absolute, init) : upstream(absolute.href, init)
    },
  }
}

/** As much of the document as is looked at here. */
export interface Documented {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly responses: Readonly<Record<string, unknown>> }>>>
  >
}

/** The operation of a request, and the statuses that the document names for it. */
function operationOf(document: Documented, method: string, pathname: string) {
  for (const [path, item] of Object.entries(document.paths)) {
    const pattern = new RegExp(`^${path.replace(/\{\w+\}/gu, '[^/]+')}$`, 'u')
    const operation = pattern.test(pathname) ? item[method.toLowerCase()] : undefined
    if (operation !== undefined) return { path, statuses: Object.keys(operation.responses) }
  }
  return null
}

/** To Prism `0`, `false` and `""` are no body: where one was sent, none is missing. */
function withBody(judged: Judged, body: unknown): Judged {
  if (body === undefined) return judged
  const input = judged.validations.input.filter(({ message }) => message !== 'Body parameter is required')
  return { ...judged, validations: { ...judged.validations, input } }
}

/**
 * What is wrong. Tests send wrong requests on purpose: the fault is where one that the document does not allow is not
 * refused. `default` would cover any status: one that the document does not name is a fault all the same.
 */
function faultsOf({ validations }: Judged, statuses: readonly string[] | null, status: number): string[] {
  if (statuses === null) return []
  const say = (violation: Violation) => `${(violation.path ?? []).join('.')} ${violation.message}`.trim()
  const requests = status < 400 ? validations.input.map((one) => `accepted a request that ${say(one)}`) : []
  const unnamed = statuses.includes(String(status)) ? [] : [`answered ${status}, which is not in the document`]
  return [...requests, ...validations.output.map((one) => `answered ${status} with ${say(one)}`), ...unnamed]
}

function inputOf(url: URL, init: RequestInit): PrismInput {
  const query: Record<string, string | string[]> = {}
  for (const name of new Set(url.searchParams.keys())) {
    const values = url.searchParams.getAll(name)
    query[name] = values.length === 1 ? (values[0] ?? '') : values
  }
  const headers = Object.fromEntries(new Headers(init.headers))
  const text = typeof init.body === 'string' ? init.body : null
  const body = text === null ? undefined : parsed(text, headers['content-type'] ?? null)
  return { method: (init.method ?? 'GET').toLowerCase(), url: { path: url.pathname, query }, headers, body }
}

async function outputOf(response: Response) {
  const type = response.headers.get('content-type')
  const about = { statusCode: response.status, headers: Object.fromEntries(response.headers) }
  // A stream goes on as long as its reader takes it: what is judged of it is its status and its headers.
  if (STREAM.test(type ?? '')) return { ...about, body: '' }
  const text = await response.clone().text()
  return { ...about, body: text === '' ? undefined : parsed(text, type) }
}

function parsed(text: string, type: string | null): unknown {
  if (!/^application\/(?:\w+\+)?json\b/u.test(type ?? '')) return text
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
