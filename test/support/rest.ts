import type { FetchLike } from './oauth.ts'

/** What REST answered. */
export interface RestAnswer {
  readonly status: number
  readonly headers: Headers
  // Tests look into answers freely; what they find is checked by what they expect of it.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
}

export interface RestClient {
  get(path: string, headers?: Record<string, string>): Promise<RestAnswer>
  post(path: string, body?: unknown, headers?: Record<string, string>): Promise<RestAnswer>
  put(path: string, body: unknown, headers?: Record<string, string>): Promise<RestAnswer>
  patch(path: string, body: unknown, headers?: Record<string, string>): Promise<RestAnswer>
  delete(path: string, headers?: Record<string, string>, body?: unknown): Promise<RestAnswer>
  /** Previews a destructive call, and confirms it. */
  confirmed(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: object): Promise<RestAnswer>
}

/** A program that speaks REST with a token. */
export function restClient(fetchLike: FetchLike, authorization: Record<string, string>): RestClient {
  async function send(
    method: string,
    path: string,
    body: unknown,
    headers: Record<string, string> = {},
  ): Promise<RestAnswer> {
    const withBody =
      body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
    const response = await fetchLike(path, {
      method,
      ...withBody,
      headers: { ...authorization, ...withBody.headers, ...headers },
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: text === '' ? null : JSON.parse(text) }
  }

  return {
    get: (path, headers) => send('GET', path, undefined, headers),
    post: (path, body = {}, headers = {}) => send('POST', path, body, headers),
    put: (path, body, headers) => send('PUT', path, body, headers),
    patch: (path, body, headers) => send('PATCH', path, body, headers),
    delete: (path, headers, body) => send('DELETE', path, body, headers),
    async confirmed(method, path, body) {
      const preview = await send(method, path, body)
      const { confirmToken } = preview.body
      return body === undefined
        ? send(method, path, undefined, { 'confirm-token': confirmToken })
        : send(method, path, { ...body, confirmToken })
    },
  }
}
