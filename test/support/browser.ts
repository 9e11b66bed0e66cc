/**
 * A browser and the person in front of it, without Chromium: it follows redirects, keeps cookies, reads real HTML and
 * submits its forms under the rules that browsers apply (SameSite, `Origin`, `Sec-Fetch-*`, `form-action`, required
 * fields). Scripts do not run: every page of the product has to work without them. Plain http on loopback only.
 */
import { request as httpRequest } from 'node:http'
import { type Cookie, type CookieJar, cookieJar } from './browser-cookies.ts'
import { type Submission, submissionOf, type Values } from './browser-form.ts'
import { type Button, type Document, type Form, readDocument } from './browser-html.ts'
import { fetchSite, formActionAllows, originFor, refererFor } from './browser-policy.ts'

export interface Person {
  readonly email: string
  readonly name: string
  readonly password: string
}

/** A page as the address bar and the window show it. `status` 0: nobody answered, or not an http address. */
export interface Page extends Document {
  readonly url: string
  readonly status: number
  readonly headers: Headers
  /** The answers that led here, oldest first. */
  readonly redirects: readonly { readonly url: string; readonly status: number }[]
}

export interface ScriptedBrowser {
  /** Every page shown so far, oldest first. */
  readonly pages: readonly Page[]
  /** Cookies that a navigation started by the person would send to `url`. */
  cookies(url: string): Cookie[]
  /** Types an address, or lets another program open it. */
  open(url: string): Promise<Page>
  /** Clicks a link of the current page. */
  follow(href: string): Promise<Page>
  /** Fills in a form of the current page and presses the button so labelled (default: its first). */
  submit(form: Form, values?: Values, label?: string | RegExp): Promise<Page>
  /**
   * Goes through an OAuth authorization as the person would: signs up (once) or in where asked, then answers the
   * consent page, until the browser stands at the client's redirect URI. Resolves to that address, whether or not
   * anybody listens there.
   *
   * @throws Error with the page's text when the server shows anything else.
   */
  authorize(url: string, decision?: 'allow' | 'deny'): Promise<string>
}

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

const REDIRECTS = new Set([301, 302, 303, 307, 308])
const REDIRECTS_MAX = 20
const AUTHORIZE_PAGES_MAX = 8
const TIMEOUT_MS = 20_000
const BUTTONS = {
  allow: /^(allow|approve|authori[sz]e|accept|grant|continue|yes)\b/i,
  deny: /^(deny|cancel|decline|refuse|reject|no\b|do(n.t| not) allow)/i,
}

type Step = Omit<Submission, 'url'> & { readonly url: URL }

function send({ url, method, body }: Step, headers: Record<string, string>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(url, { method, headers, timeout: TIMEOUT_MS }, (incoming) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('error', reject)
      incoming.on('end', () => {
        const received = new Headers()
        for (let index = 0; index < incoming.rawHeaders.length; index += 2) {
          received.append(incoming.rawHeaders[index] ?? '', incoming.rawHeaders[index + 1] ?? '')
        }
        resolve({ status: incoming.statusCode ?? 0, headers: received, body: Buffer.concat(chunks).toString('utf8') })
      })
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error(`No answer from ${url.href} within ${TIMEOUT_MS} ms`)))
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

const isRefused = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED'

const nobodyThere: Answer = { status: 0, headers: new Headers(), body: '' }

/** Like the address bar, which keeps showing where it was sent when nobody answers or another program takes over. */
async function sendAsBrowser(step: Step, headers: Record<string, string>): Promise<Answer> {
  if (step.url.protocol !== 'http:') return nobodyThere
  try {
    return await send(step, headers)
  } catch (error) {
    if (isRefused(error)) return nobodyThere
    throw error
  }
}

const referrerPolicyOf = (page: Page): string =>
  page.referrerPolicy ?? page.headers.get('referrer-policy') ?? 'strict-origin-when-cross-origin'

function headersFor(
  step: Step,
  from: Page | null,
  chain: readonly URL[],
  cookies: readonly Cookie[],
): Record<string, string> {
  const initiator = from && new URL(from.url)
  const referer = from && initiator && refererFor(referrerPolicyOf(from), initiator, step.url)
  return {
    accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
    'accept-language': 'en',
    'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) ScriptedBrowser/1.0',
    'upgrade-insecure-requests': '1',
    'sec-fetch-site': fetchSite(initiator, chain),
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
    'sec-fetch-user': '?1',
    ...(cookies.length > 0 && { cookie: cookies.map(({ name, value }) => `${name}=${value}`).join('; ') }),
    ...(referer && { referer }),
    ...(from &&
      initiator &&
      step.method !== 'GET' && { origin: originFor(referrerPolicyOf(from), initiator, step.url) }),
    ...(step.contentType && { 'content-type': step.contentType }),
  }
}

function buttonOf(form: Form, label: string | RegExp | undefined): Button | undefined {
  if (label === undefined) return form.buttons[0]
  const found = form.buttons.find((button) =>
    typeof label === 'string' ? button.label === label : label.test(button.label),
  )
  if (!found) throw new Error(`No button ${label}; there are: ${form.buttons.map((b) => b.label).join(', ')}`)
  return found
}

const isSignUp = (url: string): boolean => new URL(url).pathname.replace(/\/$/, '').endsWith('/signup')

const passwordForms = (page: Page): Form[] =>
  page.forms.filter((form) => form.controls.some((control) => control.type === 'password'))

/** The person's data by what each control is for; whatever else a page requires fails its validation. */
function credentials(form: Form, person: Person): Values {
  const fields = form.controls.flatMap((control): [string, string][] => {
    if (control.type === 'password') return [[control.name, person.password]]
    if (control.type === 'email' || control.autocomplete === 'username') return [[control.name, person.email]]
    if (control.type === 'text' && control.autocomplete === 'name') return [[control.name, person.name]]
    if (control.type === 'text' && /name$/i.test(control.name)) return [[control.name, person.name]]
    return []
  })
  return Object.fromEntries(fields)
}

const complaint = (page: Page, problem: string): Error =>
  new Error(`${problem} at ${page.url} (${page.status}): "${page.title}" ${page.text.slice(0, 600)}`)

/** A callback is reached when everything but the query fits: loopback clients choose their port themselves. */
function isAt(url: string, redirectUri: string): boolean {
  const [here, there] = [new URL(url), new URL(redirectUri)]
  return here.protocol === there.protocol && here.host === there.host && here.pathname === there.pathname
}

const get = (url: string): Submission => ({ url, method: 'GET', contentType: undefined, body: undefined })

/** One navigation with all its redirects. `from` is the page that started it, null when the person did. */
async function navigate(jar: CookieJar, first: Submission, from: Page | null, isForm = false): Promise<Page> {
  const redirects: { url: string; status: number }[] = []
  const chain: URL[] = []
  let step = { ...first, url: new URL(first.url) }
  while (redirects.length <= REDIRECTS_MAX) {
    chain.push(step.url)
    if (isForm && from && !formActionAllows(from.headers.get('content-security-policy'), new URL(from.url), step.url)) {
      throw new Error(`The page ${from.url} forbids its form to lead to ${step.url.href} (CSP form-action)`)
    }
    const isCrossSite = from !== null && fetchSite(new URL(from.url), chain) === 'cross-site'
    const cookies = jar.matching(step.url, step.method, isCrossSite, Date.now())
    const { status, headers, body } = await sendAsBrowser(step, headersFor(step, from, chain, cookies))
    jar.store(headers.getSetCookie(), step.url, Date.now())
    const location = headers.get('location')
    if (!REDIRECTS.has(status) || location === null) {
      return { ...readDocument(body, step.url.href), url: step.url.href, status, headers, redirects }
    }
    redirects.push({ url: step.url.href, status })
    const url = new URL(location, step.url)
    // Fetch §4.4: after 301, 302 and 303 a form goes on with GET; 307 and 308 send it again.
    step = status < 307 ? { ...get(url.href), url } : { ...step, url }
  }
  throw new Error(`More than ${REDIRECTS_MAX} redirects from ${first.url}`)
}

/** What the person does on a page of the sign-in and consent: one form or one link. */
async function answerPage(
  browser: ScriptedBrowser,
  visitor: { readonly person: Person; hasAccount: boolean },
  page: Page,
  decision: 'allow' | 'deny',
): Promise<Page> {
  const forms = passwordForms(page)
  if (forms.length === 0) {
    const consent = page.forms.find((form) => form.buttons.some((button) => BUTTONS[decision].test(button.label)))
    if (!consent) throw complaint(page, `Nothing to ${decision}`)
    return browser.submit(consent, {}, BUTTONS[decision])
  }
  const form = forms.find((candidate) => isSignUp(candidate.action) !== visitor.hasAccount)
  if (form) {
    const next = await browser.submit(form, credentials(form, visitor.person))
    if (next.status >= 400) throw complaint(next, 'The sign-in was refused')
    visitor.hasAccount = true
    return next
  }
  const link = page.links.find(({ href }) =>
    visitor.hasAccount ? new URL(href).pathname.endsWith('/login') : isSignUp(href),
  )
  if (!link) throw complaint(page, `No way to ${visitor.hasAccount ? 'sign in' : 'sign up'}`)
  return browser.follow(link.href)
}

/** `hasAccount`: the person signs in rather than up. A browser remembers that it has signed its person up. */
export function scriptedBrowser(options: { person: Person; hasAccount?: boolean }): ScriptedBrowser {
  const visitor = { person: options.person, hasAccount: options.hasAccount ?? false }
  const jar = cookieJar()
  const pages: Page[] = []
  const show = (page: Page): Page => {
    pages.push(page)
    return page
  }
  const current = (): Page => {
    const page = pages.at(-1)
    if (!page) throw new Error('No page is open')
    return page
  }
  const browser: ScriptedBrowser = {
    pages,
    cookies: (url) => jar.matching(new URL(url), 'GET', false, Date.now()),
    open: async (url) => show(await navigate(jar, get(url), null)),
    follow: async (href) => show(await navigate(jar, get(new URL(href, current().url).href), current())),
    async submit(form, values = {}, label) {
      const page = current()
      if (!page.forms.includes(form)) throw new Error(`The form is not on the current page ${page.url}`)
      return show(await navigate(jar, await submissionOf(form, values, buttonOf(form, label)), page, true))
    },
    async authorize(url, decision = 'allow') {
      const redirectUri = new URL(url).searchParams.get('redirect_uri')
      let page = await browser.open(url)
      for (let count = 0; count < AUTHORIZE_PAGES_MAX; count += 1) {
        if (redirectUri && isAt(page.url, redirectUri)) return page.url
        if (page.status !== 200) throw complaint(page, 'Not a page for people')
        page = await answerPage(browser, visitor, page, decision)
      }
      throw complaint(page, `No end after ${AUTHORIZE_PAGES_MAX} pages`)
    },
  }
  return browser
}
