import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'

/** Any JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
export type JsonObject = { readonly [key: string]: Json }

/** RFC 8785: the one text of a JSON value, whatever the order of its keys. */
export function canonicalJson(value: Json): string {
  const text = canonicalize(value)
  if (text === undefined) throw new TypeError('not a JSON value')
  return text
}

export function sha256(...parts: readonly (string | Uint8Array)[]): Buffer {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** The version of a thing without a counter of its own: what it says. 22 characters. */
export function versionOf(view: object): string {
  return sha256(canonicalJson(JSON.parse(JSON.stringify(view))))
    .toString('base64url')
    .slice(0, 22)
}
