/** The rules by which a browser decides what a request reveals, and where a form may lead. All pure. */

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

/** W3C Secure Contexts: https, and loopback over http. */
export const isTrustworthy = (url: URL): boolean => url.protocol === 'https:' || LOOPBACK.has(url.hostname)

/** Ports do not count: http://localhost:1 and http://localhost:2 are one site, 127.0.0.1 is another. */
const isSameSite = (a: URL, b: URL): boolean => a.protocol === b.protocol && a.hostname === b.hostname

export type FetchSite = 'none' | 'same-origin' | 'same-site' | 'cross-site'

/**
 * `Sec-Fetch-Site` of a navigation: the worst relation between who started it and any address on its way (W3C Fetch
 * Metadata §2.3). Nobody started what a person opened themselves.
 */
export function fetchSite(initiator: URL | null, chain: readonly URL[]): FetchSite {
  if (!initiator) return 'none'
  if (chain.every((url) => url.origin === initiator.origin)) return 'same-origin'
  return chain.every((url) => isSameSite(url, initiator)) ? 'same-site' : 'cross-site'
}

/** `Referer` (Referrer Policy §8.3); no downgrades occur here, since all of it is plain http on loopback. */
export function refererFor(policy: string, initiator: URL, target: URL): string | undefined {
  const full = `${initiator.origin}${initiator.pathname}${initiator.search}`
  const origin = `${initiator.origin}/`
  const isSameOrigin = initiator.origin === target.origin
  switch (policy) {
    case 'no-referrer':
      return undefined
    case 'same-origin':
      return isSameOrigin ? full : undefined
    case 'origin':
    case 'strict-origin':
      return origin
    case 'unsafe-url':
    case 'no-referrer-when-downgrade':
      return full
    default:
      return isSameOrigin ? full : origin
  }
}

/**
 * `Origin` of a form post (Fetch §3.2). The trap: a page with `Referrer-Policy: no-referrer` posts `Origin: null` even
 * to its own server.
 */
export function originFor(policy: string, initiator: URL, target: URL): string {
  const isHidden = policy === 'no-referrer' || (policy === 'same-origin' && initiator.origin !== target.origin)
  return isHidden ? 'null' : initiator.origin
}

/** CSP3 §6.7.2.6, without the upgrade to https. IPv6 literals never match: the grammar has no room for them. */
function sourceMatches(source: string, self: URL, target: URL): boolean {
  if (source === "'self'") return target.origin === self.origin
  if (source === '*') return target.protocol === 'http:' || target.protocol === 'https:'
  if (/^[a-z][a-z0-9+.-]*:$/i.test(source)) return target.protocol === source.toLowerCase()
  const parts = /^(?:([a-z][a-z0-9+.-]*):\/\/)?([^:/[\]]+)(?::(\d+|\*))?(\/.*)?$/i.exec(source)
  if (!parts) return false
  const [, scheme, host = '', port, path] = parts
  if (target.protocol !== (scheme ? `${scheme.toLowerCase()}:` : self.protocol)) return false
  if (host.startsWith('*.') ? !target.hostname.endsWith(host.slice(1)) : target.hostname !== host.toLowerCase()) {
    return false
  }
  if (port !== '*' && (port ?? '') !== target.port) return false
  return !path || (path.endsWith('/') ? target.pathname.startsWith(path) : target.pathname === path)
}

/**
 * Does the page's `Content-Security-Policy` let its form lead to `target`? Chromium applies `form-action` to every
 * redirect after the post too, so that `form-action 'self'` on a consent page breaks the way back to the client.
 */
export function formActionAllows(contentSecurityPolicy: string | null, self: URL, target: URL): boolean {
  const policies = (contentSecurityPolicy ?? '').split(',')
  return policies.every((policy) => {
    const directive = policy
      .split(';')
      .map((part) => part.trim().split(/\s+/))
      .find(([name]) => name?.toLowerCase() === 'form-action')
    return !directive || directive.slice(1).some((source) => sourceMatches(source, self, target))
  })
}
