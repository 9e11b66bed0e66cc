import { FOLD_EXPANSIONS, FOLD_RUNS } from './case-fold-table.ts'

function expansions(): [string, string][] {
  return Array.from({ length: FOLD_EXPANSIONS.length / 4 }, (_, i) => {
    const [from = 0, ...to] = FOLD_EXPANSIONS.slice(4 * i, 4 * i + 4)
    return [String.fromCodePoint(from), String.fromCodePoint(...to.filter((code) => code !== 0))]
  })
}

function buildFolds(): ReadonlyMap<string, string> {
  const folds = new Map(expansions())
  for (let i = 0; i < FOLD_RUNS.length; i += 4) {
    const [first = 0, last = 0, step = 1, delta = 0] = FOLD_RUNS.slice(i, i + 4)
    for (let code = first; code <= last; code += step) {
      folds.set(String.fromCodePoint(code), String.fromCodePoint(code + delta))
    }
  }
  return folds
}

const FOLDS = buildFolds()

/**
 * What two spellings of one name have in common: canonical caseless matching of Unicode (section 3.13, D145), written
 * in NFC. Full case folding of each code point by itself, so no locale and no context (`ß` is `ss`, `ς` is `σ`, `İ` is
 * `i̇`, `ı` stays).
 *
 * Folding runs on NFD because folding a composed letter can give what NFC would compose otherwise (`ᾳ` and its parts);
 * so `f(f(x)) = f(x)` and canonically equivalent inputs give the same key. The table is pinned (Unicode 17) rather than
 * taken from the runtime, because keys are stored and must not change with the version of Node. At most twice as many
 * UTF-8 bytes as the NFC input.
 */
export function caseKey(text: string): string {
  if (/^[ -~]*$/u.test(text)) return text.toLowerCase()
  return Array.from(text.normalize('NFD'), (character) => FOLDS.get(character) ?? character)
    .join('')
    .normalize('NFC')
}

/** Every key of two or three code points that a single character can have: `ss` (for `ß`), `ffi` (for `ﬃ`), … */
export const EXPANDED_KEYS: ReadonlySet<string> = new Set(
  expansions()
    .map(([character]) => caseKey(character))
    .filter((key) => Array.from(key).length > 1),
)
