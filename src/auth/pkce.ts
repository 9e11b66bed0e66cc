import { createHash } from 'node:crypto'
import { equalSecrets } from './crypto.ts'

/** RFC 7636 §4.1: 43–128 unreserved characters. */
const VERIFIER = /^[A-Za-z0-9._~-]{43,128}$/
/** A SHA-256 in base64url without padding is always 43 characters. */
const CHALLENGE = /^[A-Za-z0-9_-]{43}$/

/** Is this the form of an S256 challenge? */
export function isChallenge(text: string): boolean {
  return CHALLENGE.test(text)
}

/** The S256 challenge of a verifier (RFC 7636 §4.2). */
export function challengeOf(verifier: string): string {
  return createHash('sha256').update(verifier).digest('base64url')
}

/** RFC 7636 §4.6 with S256, the only method we accept. */
export function verifies(verifier: string, challenge: string): boolean {
  return VERIFIER.test(verifier) && equalSecrets(challengeOf(verifier), challenge)
}
