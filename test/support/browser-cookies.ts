import { isTrustworthy } from './browser-policy.ts'

export interface Cookie {
  readonly name: string
  readonly value: string
  readonly domain: string
  readonly hostOnly: boolean
  readonly path: string
  readonly secure: boolean
  readonly httpOnly: boolean
  readonly sameSite: 'strict' | 'lax' | 'none'
  /** Milliseconds since the epoch; `Infinity` for a session cookie. */
  readonly expiresAt: number
}

const defaultPath = (url: URL): string => url.pathname.slice(0, url.pathname.lastIndexOf('/')) || '/'

const domainMatches = (host: string, domain: string): boolean => host === domain || host.endsWith(`.${domain}`)

const pathMatches = (path: string, cookiePath: string): boolean =>
  path === cookiePath || path.startsWith(cookiePath.endsWith('/') ? cookiePath : `${cookiePath}/`)

function expiryOf(attributes: ReadonlyMap<string, string>, now: number): number {
  const maxAge = attributes.get('max-age')
  if (maxAge !== undefined) return now + Number(maxAge) * 1000
  const expires = attributes.get('expires')
  return expires === undefined ? Infinity : Date.parse(expires)
}

/**
 * One `Set-Cookie` header as a browser takes it (RFC 6265bis §5.7), or undefined where a browser drops it: a foreign
 * domain, `Secure` from an insecure page, `SameSite=None` without `Secure`, a broken `__Host-`/`__Secure-` promise.
 */
export function parseSetCookie(header: string, url: URL, now: number): Cookie | undefined {
  const [pair = '', ...rest] = header.split(';')
  const equals = pair.indexOf('=')
  if (equals < 1) return undefined
  const attributes = new Map(
    rest.map((part) => {
      const [name = '', ...value] = part.split('=')
      return [name.trim().toLowerCase(), value.join('=').trim()] as const
    }),
  )
  const domain = attributes.get('domain')?.replace(/^\./, '').toLowerCase()
  const path = attributes.get('path')
  const sameSite = attributes.get('samesite')?.toLowerCase()
  const cookie: Cookie = {
    name: pair.slice(0, equals).trim(),
    value: pair.slice(equals + 1).trim(),
    domain: domain || url.hostname,
    hostOnly: !domain,
    path: path?.startsWith('/') ? path : defaultPath(url),
    secure: attributes.has('secure'),
    httpOnly: attributes.has('httponly'),
    sameSite: sameSite === 'strict' || sameSite === 'none' ? sameSite : 'lax',
    expiresAt: expiryOf(attributes, now),
  }
  const prefix = /^__(host|secure)-/i.exec(cookie.name)?.[1]?.toLowerCase()
  if (!domainMatches(url.hostname, cookie.domain)) return undefined
  if (cookie.secure && !isTrustworthy(url)) return undefined
  if ((cookie.sameSite === 'none' || prefix) && !cookie.secure) return undefined
  if (prefix === 'host' && (!cookie.hostOnly || path !== '/')) return undefined
  return cookie
}

/** Which cookies go with a top-level navigation. `isCrossSite`: another site started it. */
export function cookieApplies(cookie: Cookie, url: URL, method: string, isCrossSite: boolean): boolean {
  const isForHost = cookie.hostOnly ? url.hostname === cookie.domain : domainMatches(url.hostname, cookie.domain)
  if (!isForHost || !pathMatches(url.pathname, cookie.path)) return false
  if (cookie.secure && !isTrustworthy(url)) return false
  if (!isCrossSite || cookie.sameSite === 'none') return true
  return cookie.sameSite === 'lax' && method === 'GET'
}

export interface CookieJar {
  store(setCookies: readonly string[], url: URL, now: number): void
  /** Unexpired cookies in the order in which they are sent: longer paths first. */
  matching(url: URL, method: string, isCrossSite: boolean, now: number): Cookie[]
}

export function cookieJar(): CookieJar {
  const cookies = new Map<string, Cookie>()
  return {
    store(setCookies, url, now) {
      for (const header of setCookies) {
        const cookie = parseSetCookie(header, url, now)
        if (cookie) cookies.set(`${cookie.name};${cookie.domain};${cookie.path}`, cookie)
      }
    },
    matching: (url, method, isCrossSite, now) =>
      [...cookies.values()]
        .filter((cookie) => cookie.expiresAt > now && cookieApplies(cookie, url, method, isCrossSite))
        .sort((a, b) => b.path.length - a.path.length),
  }
}
