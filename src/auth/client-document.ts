import { z } from 'zod'
import { displayName } from './display-name.ts'
import type { GuardedAnswer } from './guarded-fetch.ts'
import { AUTH_LIMITS } from './limits.ts'
import { usableRedirectUris } from './redirect-uri.ts'
import { parseUrl } from './url.ts'

// Client ID Metadata Documents: a client's id is the https URL of a document that describes it
// (draft-ietf-oauth-client-id-metadata-document-02, cited here as CIMD). Nothing in this file does any I/O.

/** What a client says of itself, as we take it. */
export interface ClientDescription {
  readonly name: string
  readonly redirectUris: readonly string[]
}

/** The reason is for the log alone (S-45). */
export class DocumentRefused extends Error {}

/**
 * Is it a URL that may be a client id (CIMD §3)? https, in the one form that URL gives it, which leaves no dot segments,
 * default port or host in disguise; with a path; without fragment, user name or port. Neither with a query, which the
 * draft advises against: many servers answer with whatever their query says, and the page tells people the host's name.
 */
export function isClientIdUrl(text: string): boolean {
  const url = text.length <= AUTH_LIMITS.clientIdUrlChars ? parseUrl(text) : null
  if (url === null || url.protocol !== 'https:' || url.href !== text) return false
  return url.pathname !== '/' && url.port === '' && url.username === '' && url.password === '' && !/[?#]/.test(text)
}

/** Private parts of a key (RFC 7518 §6). */
const PRIVATE_KEY_PARTS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/**
 * CIMD §4: whoever can read the document knows what is in it, so nothing in it may be secret, and we authenticate no
 * client: `none`, or nothing said. What else it holds is dropped.
 */
const ClientDocument = z.object({
  client_id: z.string(),
  client_name: z.string().optional(),
  redirect_uris: z.array(z.string()),
  token_endpoint_auth_method: z.literal('none').optional(),
  client_secret: z.never().optional(),
  client_secret_expires_at: z.never().optional(),
  jwks: z
    .object({ keys: z.array(z.record(z.string(), z.unknown())) })
    .refine(({ keys }) => !keys.some((key) => PRIVATE_KEY_PARTS.some((part) => part in key)), 'a private key')
    .optional(),
})

/**
 * The description in what was answered at `clientId`.
 *
 * @throws DocumentRefused
 */
export function readClientDocument(clientId: string, answer: GuardedAnswer): ClientDescription {
  const parsed = ClientDocument.safeParse(readJson(answer))
  if (!parsed.success) {
    throw new DocumentRefused(parsed.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('; '))
  }
  const document = parsed.data
  // As text (CIMD §4): the document speaks for one URL, and for no other that leads to it.
  if (document.client_id !== clientId) throw new DocumentRefused('client_id is not the URL of the document')
  const redirectUris = usableRedirectUris(document.redirect_uris)
  if (redirectUris.length === 0) throw new DocumentRefused('redirect_uris has none that we take')
  return { name: displayName(document.client_name ?? '', hostOf(clientId)), redirectUris }
}

/** CIMD §5: 200 and nothing else; §4: JSON, or a more specific type that is JSON. */
function readJson({ status, headers, body }: GuardedAnswer): unknown {
  if (status !== 200) throw new DocumentRefused(`status ${status}`)
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? ''
  if (!/^application\/([\w.-]+\+)?json$/.test(type)) throw new DocumentRefused('not served as JSON')
  if (body === null) throw new DocumentRefused(`longer than ${AUTH_LIMITS.documentBytes} bytes`)
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new DocumentRefused('not JSON')
  }
}

/** How long the document may be kept: what its headers say (RFC 9111 §4.2.1), within our own bounds (CIMD §5.2). */
export function documentTtlSeconds(headers: GuardedAnswer['headers']): number {
  const { documentTtlMinSeconds: min, documentTtlMaxSeconds: max } = AUTH_LIMITS
  return Math.min(Math.max(freshSeconds(headers), min), max)
}

/** Zero also where the headers say nothing, or nothing that can be read. */
function freshSeconds(headers: GuardedAnswer['headers']): number {
  const control = headers['cache-control'] ?? ''
  if (/\b(no-store|no-cache)\b/i.test(control)) return 0
  const maxAge = /(?:^|[\s,])max-age="?(\d+)/i.exec(control)?.[1]
  // Both times are the sender's, so that its clock does not matter.
  const expires = (Date.parse(headers.expires ?? '') - Date.parse(headers.date ?? '')) / 1_000
  return (maxAge === undefined ? expires : Number(maxAge)) - Number(headers.age ?? 0) || 0
}

/** The host of a client id that is a URL: who speaks for the client. */
export function hostOf(clientId: string): string {
  return new URL(clientId).host
}
