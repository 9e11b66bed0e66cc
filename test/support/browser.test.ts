import { createServer, type IncomingMessage, type Server } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { scriptedBrowser } from './browser.ts'

const ada = { email: 'ada@example.test', name: 'Ada Lovelace', password: 'correct horse battery' }

interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}
interface Reply {
  readonly status?: number
  readonly headers?: Record<string, string | string[]>
  readonly html?: string
}

const running: Server[] = []
afterEach(() => {
  for (const server of running.splice(0)) server.close()
})

/** A site on loopback that answers each path with what the test says, and records what it was asked. */
async function site(answer: (seen: Seen) => Reply): Promise<{ origin: string; port: number; seen: Seen[] }> {
  const seen: Seen[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const entry = {
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      }
      seen.push(entry)
      const { status = 200, headers = {}, html = '' } = answer(entry)
      response.writeHead(status, { 'content-type': 'text/html', ...headers }).end(html)
    })
  })
  running.push(server)
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not listening on a port')
  const { port } = address
  return { origin: `http://127.0.0.1:${port}`, port, seen }
}

async function submitted(html: string, values: Record<string, string | boolean>, label?: string, headers = {}) {
  const { origin, seen } = await site((request) => (request.url === '/form' ? { html, headers } : {}))
  const browser = scriptedBrowser({ person: ada })
  const [form] = (await browser.open(`${origin}/form`)).forms
  if (!form) throw new Error('no form')
  await browser.submit(form, values, label)
  const last = seen.at(-1)
  if (!last) throw new Error('nothing was sent')
  return { ...last, origin }
}

describe('a form sends exactly what a browser would', () => {
  it('leaves out nameless, disabled and unticked controls and all buttons but the pressed one', async () => {
    const { method, body } = await submitted(
      `<form method=post action=/to>
        <input name=text value="a b"><input value=nameless><input name=off value=1 disabled>
        <fieldset disabled><input name=inner value=1></fieldset>
        <input type=checkbox name=tick value=1><input type=checkbox name=ticked value=2 checked><input type=checkbox name=bare checked>
        <input type=radio name=pick value=x><input type=radio name=pick value=y checked>
        <select name=list><option value=1>One<option value=2>Two</select>
        <textarea name=area>\nline</textarea>
        <input type=hidden name=csrf value="&quot;&amp;">
        <button name=decision value=deny>Deny</button><button name=decision value=allow>Allow</button>
        <button type=button name=plain value=1>Nothing</button>
      </form>`,
      {},
      'Allow',
    )
    expect(method).toBe('POST')
    expect([...new URLSearchParams(body)]).toEqual([
      ['text', 'a b'],
      ['ticked', '2'],
      ['bare', 'on'],
      ['pick', 'y'],
      ['list', '1'],
      ['area', 'line'],
      ['csrf', '"&'],
      ['decision', 'allow'],
    ])
  })

  it('takes what the person typed, ticked and chose, and controls tied to the form by id', async () => {
    const { body } = await submitted(
      `<form id=f method=post><input name=a><input type=checkbox name=b value=yes><button>Go</button></form>
       <select form=f name=c><option>One<option>Two</select>`,
      { a: 'typed', b: true, c: 'Two' },
    )
    expect(body).toBe('a=typed&b=yes&c=Two')
  })

  it('puts the fields of a get form into the query, replacing the one of its action', async () => {
    const { method, url, body } = await submitted('<form action="/find?old=1"><input name=q></form>', { q: 'ä' })
    expect({ method, url, body }).toEqual({ method: 'GET', url: '/find?q=%C3%A4', body: '' })
  })

  it('honours enctype, and formaction and formmethod of the pressed button', async () => {
    const { method, url, headers, body } = await submitted(
      '<form action=/a enctype=multipart/form-data><input name=q value=v><button formmethod=post formaction=/b>Go</button></form>',
      {},
    )
    expect({ method, url }).toEqual({ method: 'POST', url: '/b' })
    expect(headers['content-type']).toMatch(/^multipart\/form-data; boundary=/)
    expect(body).toContain('name="q"\r\n\r\nv')
  })

  it.each([
    ['a missing required field', '<input name=a required>', {}, /"a" is required/],
    ['an unticked required box', '<input type=checkbox name=a required>', {}, /"a" is required/],
    ['a password under its minimum', '<input name=a minlength=12>', { a: 'short' }, /at least 12/],
    ['a bad e-mail address', '<input type=email name=a>', { a: 'ada' }, /e-mail/],
    ['a value off the pattern', '<input name=a pattern="[0-9]+">', { a: '1x' }, /pattern/],
    ['a hidden field', '<input type=hidden name=a>', { a: 'forged' }, /cannot change/],
    ['a field that is not there', '<input name=a>', { b: '1' }, /no control named b/],
  ])('refuses %s', async (_, control, values, message) => {
    await expect(submitted(`<form method=post>${control}</form>`, values)).rejects.toThrow(message)
  })
})

describe('a request says where it comes from as a browser does', () => {
  it('says nobody sent the person who typed the address', async () => {
    const { origin, seen } = await site(() => ({}))
    await scriptedBrowser({ person: ada }).open(origin)
    expect(seen[0]?.headers).toMatchObject({ 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' })
    expect(seen[0]?.headers.origin).toBeUndefined()
    expect(seen[0]?.headers.referer).toBeUndefined()
  })

  it('names the page and its origin on a form post', async () => {
    const { headers, origin } = await submitted('<form method=post action=/to></form>', {})
    expect(headers).toMatchObject({ origin, referer: `${origin}/form`, 'sec-fetch-site': 'same-origin' })
  })

  it('posts a null origin from a page that forbids referrers', async () => {
    const policy = { 'referrer-policy': 'no-referrer' }
    const { headers } = await submitted('<form method=post></form>', {}, undefined, policy)
    expect(headers.origin).toBe('null')
    expect(headers.referer).toBeUndefined()
  })

  it.each([
    [303, 'GET', ''],
    [302, 'GET', ''],
    [307, 'POST', 'secret=1'],
  ])('goes on after a %i with %s', async (status, method, body) => {
    const { origin, seen } = await site(({ url }) => {
      if (url === '/form') return { html: '<form method=post action=/to><input name=secret value=1></form>' }
      return url === '/to' ? { status, headers: { location: '/next' } } : { html: '<title>There</title>' }
    })
    const browser = scriptedBrowser({ person: ada })
    const [form] = (await browser.open(`${origin}/form`)).forms
    const page = await browser.submit(form!)
    expect(page).toMatchObject({ url: `${origin}/next`, title: 'There', redirects: [{ url: `${origin}/to`, status }] })
    expect(seen.at(-1)).toMatchObject({ method, body })
  })

  it.each([
    ["form-action 'self'", false],
    ["default-src 'none'; form-action 'self' http://localhost:*", false],
    ["form-action 'self' http://127.0.0.1:*", true],
    ["default-src 'none'", true],
  ])('under "%s" lets the form lead to another origin: %s', async (policy, isAllowed) => {
    const client = await site(() => ({ html: 'done' }))
    const { origin } = await site(({ url }) =>
      url === '/form'
        ? { html: '<form method=post action=/to></form>', headers: { 'content-security-policy': policy } }
        : { status: 303, headers: { location: `${client.origin}/callback` } },
    )
    const browser = scriptedBrowser({ person: ada })
    const [form] = (await browser.open(`${origin}/form`)).forms
    const result = await browser.submit(form!).then(
      () => true,
      (error: Error) => !error.message.includes('form-action'),
    )
    expect(result).toBe(isAllowed)
    expect(client.seen).toHaveLength(isAllowed ? 1 : 0)
  })
})

describe('cookies go where a browser sends them', () => {
  const cookiesAt = async (setCookies: string[], path: string): Promise<string | undefined> => {
    const { origin, seen } = await site(({ url }) =>
      url === '/a/set' ? { headers: { 'set-cookie': setCookies } } : {},
    )
    const browser = scriptedBrowser({ person: ada })
    await browser.open(`${origin}/a/set`)
    await browser.open(`${origin}${path}`)
    return seen.at(-1)?.headers.cookie
  }

  it('keeps to the path, the default being the folder that set it', async () => {
    const cookies = ['root=1; Path=/', 'folder=1', 'deep=1; Path=/a/b', 'sibling=1; Path=/ab']
    expect(await cookiesAt(cookies, '/a/x')).toBe('folder=1; root=1')
    expect(await cookiesAt(cookies, '/a/b/c')).toBe('deep=1; folder=1; root=1')
    expect(await cookiesAt(cookies, '/')).toBe('root=1')
  })

  it('drops what is expired, foreign, or breaks the promise of its prefix', async () => {
    const cookies = [
      'gone=1; Path=/; Max-Age=0',
      'past=1; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT',
      'foreign=1; Path=/; Domain=example.test',
      '__Host-narrow=1; Path=/a; Secure',
      '__Host-open=1; Path=/',
      'none=1; Path=/; SameSite=None',
      '__Host-good=1; Path=/; Secure; HttpOnly',
    ]
    expect(await cookiesAt(cookies, '/a/x')).toBe('__Host-good=1')
  })

  it('keeps hosts apart, and Strict and posted Lax cookies from other sites', async () => {
    const cookies = ['lax=1; Path=/', 'strict=1; Path=/; SameSite=Strict', 'none=1; Path=/; SameSite=None; Secure']
    const target = await site(({ url }) => (url === '/set' ? { headers: { 'set-cookie': cookies } } : {}))
    const other = await site(() => ({
      html: `<form method=post action="${target.origin}/posted"></form><a href="${target.origin}/linked">x</a>`,
    }))
    const browser = scriptedBrowser({ person: ada })
    await browser.open(`${target.origin}/set`)
    const page = await browser.open(`http://localhost:${other.port}/`)
    await browser.follow(page.links[0]!.href)
    await browser.open(page.url)
    await browser.submit(browser.pages.at(-1)!.forms[0]!)
    expect(target.seen.map(({ headers }) => headers.cookie)).toEqual([undefined, 'lax=1; none=1', 'none=1'])
  })
})

describe('an authorization ends at the client', () => {
  const account = (kind: string): string =>
    `<title>${kind}</title><form method=post action=/${kind}>
      <input type=email name=email autocomplete=username required>
      ${kind === 'signup' ? '<input name=name autocomplete=name required>' : ''}
      <input type=password name=password required minlength=8><button>Go</button></form>
      <a href="/signup">Sign up</a><a href="/login">Sign in</a>`
  const consent = `<title>Consent</title><form method=post action=/oauth/authorize>
    <button name=decision value=deny>Cancel</button><button name=decision value=allow>Allow access</button></form>`

  async function authorizationServer(redirectUri: string) {
    return site(({ method, url, headers, body }) => {
      const { pathname } = new URL(url, 'http://x')
      const isSignedIn = headers.cookie?.includes('sid=1')
      if (pathname === '/oauth/authorize' && method === 'POST') {
        return {
          status: 303,
          headers: { location: `${redirectUri}?decision=${new URLSearchParams(body).get('decision')}` },
        }
      }
      if (pathname === '/oauth/authorize') {
        return isSignedIn ? { html: consent } : { status: 303, headers: { location: '/login' } }
      }
      if (method !== 'POST') return { html: account(pathname.slice(1)) }
      const headersOut = { location: `/oauth/authorize`, 'set-cookie': 'sid=1; Path=/; HttpOnly' }
      return { status: 303, headers: headersOut }
    })
  }

  const authorizeUrl = (origin: string, redirectUri: string): string =>
    `${origin}/oauth/authorize?redirect_uri=${encodeURIComponent(redirectUri)}`

  it('signs up once, then stays signed in, and delivers the answer to the listening client', async () => {
    const client = await site(() => ({ html: '<title>You may close this window</title>' }))
    const redirectUri = `${client.origin}/callback`
    const server = await authorizationServer(redirectUri)
    const browser = scriptedBrowser({ person: ada })
    await expect(browser.authorize(authorizeUrl(server.origin, redirectUri))).resolves.toBe(
      `${redirectUri}?decision=allow`,
    )
    expect(browser.pages.map(({ title }) => title)).toEqual(['login', 'signup', 'Consent', 'You may close this window'])
    expect(client.seen).toHaveLength(1)
    const signUp = server.seen.find(({ method, url }) => method === 'POST' && url === '/signup')
    expect(Object.fromEntries(new URLSearchParams(signUp?.body))).toEqual(ada)
    await browser.authorize(authorizeUrl(server.origin, redirectUri))
    expect(browser.pages.slice(4).map(({ title }) => title)).toEqual(['Consent', 'You may close this window'])
  })

  it('signs in a person who has an account, and can deny, with nobody listening or a scheme of its own', async () => {
    for (const redirectUri of ['http://127.0.0.1:1/callback', 'cursor://anysphere/callback']) {
      const server = await authorizationServer(redirectUri)
      const browser = scriptedBrowser({ person: ada, hasAccount: true })
      const url = await browser.authorize(authorizeUrl(server.origin, redirectUri), 'deny')
      expect(url).toBe(`${redirectUri}?decision=deny`)
      expect(browser.pages.map(({ title }) => title)).toEqual(['login', 'Consent', ''])
    }
  })

  it('fails with the text of the page when the server refuses', async () => {
    const { origin } = await site(() => ({ status: 400, html: '<title>Bad request</title>Unknown client' }))
    const authorized = scriptedBrowser({ person: ada }).authorize(authorizeUrl(origin, 'http://127.0.0.1:1/cb'))
    await expect(authorized).rejects.toThrow(/400.*Bad request.*Unknown client/)
  })
})
