import type { Landing } from '../web/pages/client.tsx'
import { AUTH_LIMITS } from './limits.ts'
import { parseUrl } from './url.ts'

/** Loopback over http (RFC 8252 §7.3), taken apart around the port; the name `localhost` because Claude Code uses it. */
const LOOPBACK = /^(http:\/\/(?:localhost|127\.0\.0\.1|\[::1\]))(?::([1-9]\d{0,4}))?((?:[/?].*)?)$/

/** Schemes that run code, read files or are nobody's application. */
const FORBIDDEN_SCHEMES =
  /^(about|blob|data|file|filesystem|ftp|intent|javascript|mailto|sms|tel|vbscript|view-source|wss?):$/

/** Printable ASCII without what browsers rewrite or what would be a wildcard: such text means one address only. */
const PLAIN = /^[!-~]+$/
const AMBIGUOUS = /[\\*#<>"`{}|^]/

/**
 * May a client register this redirect URI (S-20)? https anywhere, http on loopback, or an application's own scheme
 * (`cursor://…`); no fragment, user name, wildcard, or scheme that a browser would act on.
 */
export function isRegistrable(uri: string): boolean {
  if (uri.length > AUTH_LIMITS.redirectUriChars || !PLAIN.test(uri) || AMBIGUOUS.test(uri)) return false
  const url = parseUrl(uri)
  if (url === null || url.username !== '' || url.password !== '') return false
  if (url.protocol === 'https:') return uri.startsWith('https://')
  if (url.protocol === 'http:') return LOOPBACK.test(uri)
  // The slash keeps out `localhost:3000/callback`, which is a scheme only by its grammar.
  return !FORBIDDEN_SCHEMES.test(url.protocol) && /^[^:]+:\//.test(uri)
}

/** What of a client's redirect URIs we take, each once. One that we do not take does not spoil the others. */
export function usableRedirectUris(uris: readonly string[]): string[] {
  return [...new Set(uris.filter(isRegistrable))]
}

/**
 * Is `requested` the registered redirect URI? Exactly equal as text (OAuth 2.1 §2.3.1), with one exception: the port of
 * a loopback http address, which native clients choose at each start (RFC 8252 §7.3).
 */
export function redirectUriMatches(registered: string, requested: string): boolean {
  if (registered === requested) return true
  const [a, b] = [LOOPBACK.exec(registered), LOOPBACK.exec(requested)]
  return a !== null && b !== null && a[1] === b[1] && a[3] === b[3] && isRegistrable(requested)
}

/**
 * Is it what a native application gives: loopback, or a scheme of its own (OpenID Connect Dynamic Client Registration §2)?
 * https may be anybody's.
 */
export function isNative(uri: string): boolean {
  return !uri.startsWith('https://')
}

/** Where a redirect URI leads, as a person would tell it: host and port, or an application's own scheme. */
export function landingOf(uri: string): Landing {
  const { protocol, host } = new URL(uri)
  if (LOOPBACK.test(uri)) return { kind: 'own-computer', address: host }
  if (protocol === 'https:') return { kind: 'website', address: host }
  return { kind: 'application', address: host === '' ? protocol : `${protocol}//${host}` }
}

/** The redirect URI with the parameters of an authorization response added (RFC 6749 §4.1.2). */
export function withParameters(uri: string, parameters: Readonly<Record<string, string | undefined>>): string {
  const added = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) added.set(name, value)
  // As text, not through URL: what the client registered must come back exactly as it was.
  return `${uri}${uri.includes('?') ? '&' : '?'}${added.toString()}`
}
