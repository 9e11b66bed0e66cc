/** A person and a client walking through the real pages of the authorization server, without a port to listen on. */
import { createHash, randomBytes } from 'node:crypto'
import { z } from 'zod'
import { cookieJar } from './browser-cookies.ts'
import { submissionOf, type Values } from './browser-form.ts'
import { type Document, type Form, readDocument } from './browser-html.ts'
import type { Person } from './browser.ts'

/** `app.request` of a Hono app, or `fetch`. Must not follow redirects by itself when told `redirect: 'manual'`. */
export type FetchLike = (url: string, init?: RequestInit) => Response | Promise<Response>

export interface VisitedPage extends Document {
  readonly url: string
  readonly status: number
  readonly headers: Headers
  readonly body: string
  /** Where the server sent the browser when that was not a page of its own. */
  readonly leftTo: string | undefined
}

/** A browser with cookies that follows redirects as long as they stay on the server's origin. */
export interface Visitor {
  open(url: string): Promise<VisitedPage>
  /** Fills in a form and presses the button so named (`name=value`; default: the first). */
  submit(page: VisitedPage, form: Form, values?: Values, button?: string): Promise<VisitedPage>
  /** What the Cookie header of a request to the server would be. */
  cookie(): string
}

const REDIRECTS_MAX = 10

export function visitor(fetchLike: FetchLike, publicUrl: string): Visitor {
  const jar = cookieJar()
  const cookie = () =>
    jar
      .matching(new URL(publicUrl), 'GET', false, Date.now())
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ')

  async function go(first: string, init: RequestInit): Promise<VisitedPage> {
    let url = new URL(first, publicUrl)
    let request = init
    for (let count = 0; count < REDIRECTS_MAX; count += 1) {
      const headers = new Headers(request.headers)
      if (cookie() !== '') headers.set('cookie', cookie())
      const response = await fetchLike(url.href, { ...request, headers, redirect: 'manual' })
      jar.store(response.headers.getSetCookie(), url, Date.now())
      const location = response.headers.get('location')
      const target = location === null ? undefined : new URL(location, url)
      if (target === undefined || target.origin !== publicUrl) {
        const body = await response.text()
        const shown = { url: url.href, status: response.status, headers: response.headers, body }
        return { ...readDocument(body, url.href), ...shown, leftTo: location ?? undefined }
      }
      url = target
      request = { headers: { 'sec-fetch-site': 'same-origin' } }
    }
    throw new Error(`more than ${REDIRECTS_MAX} redirects from ${first}`)
  }

  return {
    cookie,
    open: (url) => go(url, { headers: { 'sec-fetch-site': 'none' } }),
    async submit(page, form, values = {}, button) {
      const pressed = form.buttons.find(({ name, value }) => button === undefined || `${name}=${value}` === button)
      if (pressed === undefined) throw new Error(`no button ${button} on ${page.url}`)
      const { url, method, contentType, body } = await submissionOf(form, values, pressed)
      const headers = { origin: 'null', 'sec-fetch-site': 'same-origin', 'content-type': contentType ?? '' }
      return go(url, { method, headers, body: body === undefined ? null : new Uint8Array(body) })
    },
  }
}

/** The form of a page that posts to `path`. */
export function formTo(page: VisitedPage, path: string): Form {
  const form = page.forms.find(({ action }) => new URL(action).pathname === path)
  if (form === undefined)
    throw new Error(`no form to ${path} at ${page.url} (${page.status}): ${page.text.slice(0, 500)}`)
  return form
}

/** Creates the person's account; signs in instead where it exists. Ends at `next`. */
export async function enter(browser: Visitor, person: Person, next = '/'): Promise<VisitedPage> {
  const query = new URLSearchParams({ next }).toString()
  const { email, name, password } = person
  const signUp = await browser.open(`/signup?${query}`)
  const page = await browser.submit(signUp, formTo(signUp, '/signup'), { email, name, password })
  if (new URL(page.url).pathname !== '/signup') return page
  const signIn = await browser.open(`/login?${query}`)
  return browser.submit(signIn, formTo(signIn, '/login'), { email, password })
}

export interface Pkce {
  readonly verifier: string
  readonly challenge: string
}

export function newPkce(): Pkce {
  const verifier = randomBytes(32).toString('base64url')
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') }
}

const REDIRECT_URI = 'http://127.0.0.1:19876/callback'

export interface ObtainedTokens {
  readonly accessToken: string
  readonly refreshToken: string
  readonly clientId: string
}

/**
 * Walks a person and a new client through the whole flow: registration, sign-up (or sign-in), consent, code, tokens.
 *
 * @param options.clientName what the client calls itself.
 * @param options.browser a browser that may be signed in already; default: a new one.
 */
export async function obtainTokens(
  fetchLike: FetchLike,
  options: {
    publicUrl: string
    person: Person
    clientName?: string
    browser?: Visitor
    scope?: string
    resource?: string
  },
): Promise<ObtainedTokens> {
  const { publicUrl, person, clientName = 'Test client' } = options
  const browser = options.browser ?? visitor(fetchLike, publicUrl)
  const clientId = await registerClient(fetchLike, publicUrl, {
    client_name: clientName,
    redirect_uris: [REDIRECT_URI],
  })
  const pkce = newPkce()
  const query = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: REDIRECT_URI,
    code_challenge: pkce.challenge,
    code_challenge_method: 'S256',
    resource: options.resource ?? `${publicUrl}/api/mcp`,
    scope: options.scope ?? 'mcp:read mcp:write',
    state: randomBytes(8).toString('hex'),
  }
  const path = `/oauth/authorize?${new URLSearchParams(query).toString()}`
  const opened = await browser.open(path)
  const consent = new URL(opened.url).pathname === '/oauth/authorize' ? opened : await enter(browser, person, path)
  const done = await browser.submit(consent, formTo(consent, '/oauth/authorize'), {}, 'decision=allow')
  const code = new URL(done.leftTo ?? 'none:').searchParams.get('code')
  if (code === null) throw new Error(`no code at ${done.leftTo ?? done.url}: ${done.text.slice(0, 500)}`)
  const answer = await postForm(fetchLike, `${publicUrl}/api/oauth/token`, {
    grant_type: 'authorization_code',
    client_id: clientId,
    code,
    code_verifier: pkce.verifier,
    redirect_uri: REDIRECT_URI,
    resource: query.resource,
  })
  const { accessToken, refreshToken } = await tokensOf(answer)
  return { accessToken, refreshToken, clientId }
}

/** RFC 7591. @returns the client's id. */
export async function registerClient(fetchLike: FetchLike, publicUrl: string, metadata: object): Promise<string> {
  const response = await fetchLike(`${publicUrl}/api/oauth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(metadata),
  })
  if (response.status !== 201) throw new Error(`not registered: ${response.status} ${await response.text()}`)
  return z.object({ client_id: z.string() }).parse(await response.json()).client_id
}

export function postForm(
  fetchLike: FetchLike,
  url: string,
  fields: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return Promise.resolve(
    fetchLike(url, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: new URLSearchParams(fields).toString(),
    }),
  )
}

const TokenAnswer = z.object({ access_token: z.string(), refresh_token: z.string(), scope: z.string() })

/** What a successful answer of the token endpoint holds. */
export async function tokensOf(answer: Response) {
  const text = await answer.text()
  if (answer.status !== 200) throw new Error(`no tokens: ${answer.status} ${text}`)
  const { access_token: accessToken, refresh_token: refreshToken, scope } = TokenAnswer.parse(JSON.parse(text))
  return { accessToken, refreshToken, scope }
}
