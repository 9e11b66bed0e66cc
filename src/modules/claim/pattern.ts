import { AppError } from '../../kernel/errors.ts'
import { caseKey } from './case-fold.ts'

/** Limits of one pattern. A key is at most twice as long, which a btree page (2,704 bytes an entry) still takes. */
export const MAX_PATH_BYTES = 1024
export const MAX_PATH_SEGMENTS = 64

/**
 * Which paths a claim or footprint means, relative to the repository root.
 *
 * - A **literal** means that path and everything below it.
 * - A **glob** means exactly what it matches: `*` any run of characters of one segment (also none, also a leading dot),
 *   `?` exactly one character (code point), `**` as a whole segment any number of segments (also none, so `a*​/**` matches
 *   `a1` itself, and `**` alone everything). All other characters stand for themselves, `[ ] { } ! ( )` too.
 *
 * Names are compared by their key, in which spellings that some file system takes for one file are equal.
 */
export interface PathPattern {
  /**
   * As the caller wrote it, in NFC and one canonical form: no trailing `/` or `/**` on a literal (`src/` and `src/**` are
   * `src`), a trailing `/` on a glob written out as `/**`, repeated `**` segments as one. Free of control, bidi and tag
   * characters. Parses to the same pattern again.
   */
  readonly display: string
  readonly kind: 'literal' | 'glob'
  /** The display without invisible characters, case-folded and in NFC. Patterns with equal keys mean the same paths. */
  readonly key: string
  /** The leading segments of the key that hold no wildcard: all of a literal, '' (the root) for a glob such as `*.ts`. */
  readonly prefix: string
}
