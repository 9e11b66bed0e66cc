import { createHash } from 'node:crypto'
import { AppError } from '../kernel/errors.ts'
import { LIMITS } from '../kernel/limits.ts'
import type { Conditions } from '../kernel/operation.ts'

/** RFC 9110 section 8.8.3, of versions that are ours: plain text without quotes. */
export function entityTag(version: string): string {
  return `"${version}"`
}

/** The version of a representation that has none of its own: what it says. */
export function versionOf(json: string): string {
  return createHash('sha256').update(json).digest('base64url').slice(0, 22)
}

/** `If-None-Match` of a read (RFC 9110 section 13.1.2): does the caller have this already? Weak comparison. */
export function isKnown(headers: Headers, version: string): boolean {
  const tags = tagsOf(headers.get('if-none-match'))
  return tags !== null && (tags.includes('*') || tags.includes(version))
}

/** @throws AppError INVALID_INPUT for an Idempotency-Key that is none */
export function conditionsOf(headers: Headers, confirmToken: string | null): Conditions {
  const idempotencyKey = headers.get('idempotency-key')
  if (idempotencyKey !== null && !/^[!-~]{1,255}$/u.test(idempotencyKey)) {
    const message = `1 to ${LIMITS.idempotencyKeyChars} visible ASCII characters`
    throw new AppError('INVALID_INPUT', undefined, { details: { issues: [{ path: 'Idempotency-Key', message }] } })
  }
  return {
    ifMatch: tagsOf(headers.get('if-match')),
    ifNew: headers.get('if-none-match')?.trim() === '*',
    idempotencyKey,
    confirmToken,
    lastEventId: headers.get('last-event-id'),
  }
}

/** The versions in a list of entity tags; null without a header. What is no tag matches nothing. */
function tagsOf(header: string | null): string[] | null {
  return header === null ? null : header.split(',').map((tag) => tag.trim().replace(/^(?:W\/)?"(.*)"$/u, '$1'))
}
