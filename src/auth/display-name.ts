import { AUTH_LIMITS } from './limits.ts'

/**
 * A name that somebody gave themselves, fit to be shown: without control, format (bidi, zero-width, tag) and unassigned
 * characters, white space collapsed, at most 60 characters; `fallback` when nothing is left.
 */
export function displayName(text: string, fallback: string): string {
  const clean = text
    .normalize('NFC')
    .replaceAll(/[\s\p{Z}]+/gu, ' ')
    .replaceAll(/\p{C}/gu, '')
    .trim()
  // By code points, so that no half of a pair stays.
  return Array.from(clean).slice(0, AUTH_LIMITS.nameChars).join('').trim() || fallback
}
