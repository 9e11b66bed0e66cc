import { AUTH_LIMITS } from './limits.ts'

/** Control, format (bidi, zero-width, tag) and unassigned characters, and letters that show nothing (fillers, blanks). */
const UNSEEN = /[\p{C}\p{Default_Ignorable_Code_Point}\u2800]/gu

/** Accents upon accents, which would grow over the lines above and below. No language needs a fourth. */
const PILED_UP = /(\p{M}{3})\p{M}+/gu

/**
 * A name that somebody gave themselves, fit to be shown: without what cannot be seen or covers other text, white space
 * collapsed, at most 60 characters; `fallback` when nothing is left.
 */
export function displayName(text: string, fallback: string): string {
  const clean = text
    .normalize('NFC')
    .replaceAll(/[\s\p{Z}]+/gu, ' ')
    .replaceAll(UNSEEN, '')
    .replaceAll(PILED_UP, '$1')
    // Two that had something unseen between them.
    .replaceAll(/ +/gu, ' ')
    .trim()
  // By code points, so that no half of a pair stays.
  return Array.from(clean).slice(0, AUTH_LIMITS.nameChars).join('').trim() || fallback
}
