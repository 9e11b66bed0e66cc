import { parseUrl } from './url.ts'

/** What a token may be presented to. */
export type Resource = 'mcp' | 'rest'

const PATHS: Readonly<Record<Resource, string>> = { mcp: '/api/mcp', rest: '/api' }

/** The resource indicator (RFC 8707) of one of our two resources: an absolute URI without a trailing slash. */
export function resourceUri(publicUrl: string, resource: Resource): string {
  return publicUrl + PATHS[resource]
}

/**
 * The resource a request names, in canonical form; null for one that is not ours. Scheme and host compare without case
 * and one trailing slash is tolerated (S-07); everything else must be equal.
 */
export function canonicalResource(publicUrl: string, requested: string): string | null {
  const url = parseUrl(requested)
  if (url === null || requested.includes('#') || url.search !== '' || url.username !== '' || url.password !== '') {
    return null
  }
  const canonical = url.origin + url.pathname.replace(/\/$/, '')
  const known = [resourceUri(publicUrl, 'mcp'), resourceUri(publicUrl, 'rest')]
  return known.includes(canonical) ? canonical : null
}

/** Does a token for `granted` open `wanted`? One for MCP opens REST too: the tools and REST are the same operations. */
export function opens(publicUrl: string, granted: string, wanted: Resource): boolean {
  return granted === resourceUri(publicUrl, 'mcp') || granted === resourceUri(publicUrl, wanted)
}
