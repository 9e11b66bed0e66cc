/**
 * What one agent wrote reaches other agents as data only. These characters can hide or reorder text, or smuggle
 * instructions past a person who reads along: control characters (but tab and newline), bidirectional overrides and
 * isolates, zero-width characters, interlinear annotations, and Unicode tag characters.
 */
const HIDDEN =
  // eslint-disable-next-line no-control-regex -- naming control characters is the point
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu

/** Untrusted text made safe to show: hidden characters removed, lone surrogates replaced, cut to `maxChars`. */
export function cleanText(text: string, maxChars: number): string {
  const clean = text.toWellFormed().replace(HIDDEN, '').trim()
  return clean.length <= maxChars
    ? clean
    : `${clean
        .slice(0, maxChars - 1)
        .toWellFormed()
        .replace(/\ufffd$/u, '')}…`
}

/** The same on one line: names, branches, reasons. */
export function cleanLine(text: string, maxChars: number): string {
  return cleanText(text.replace(/\s+/gu, ' '), maxChars)
}

/**
 * True where every string in the JSON value, keys included, is Unicode that PostgreSQL can store: no lone surrogate and
 * no NUL. Depth is bounded by the reader of the body.
 */
export function isStorable(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\u0000')
  if (Array.isArray(value)) return value.every(isStorable)
  if (typeof value !== 'object' || value === null) return true
  return Object.keys(value).every(isStorable) && Object.values(value).every(isStorable)
}
