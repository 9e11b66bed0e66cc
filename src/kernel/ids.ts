import { randomBytes, randomFillSync } from 'node:crypto'
import { encodeBase32LowerCaseNoPadding } from '@oslojs/encoding'
import { V7Generator } from 'uuidv7'

/** One prefix per kind of thing, so that an id says what it names wherever it turns up. */
export type IdPrefix = 'usr' | 'ws' | 'rep' | 'ses' | 'run' | 'clm' | 'gr' | 'cl' | 'req' | 'inv' | 'pat'

/** Random numbers for 300 ids at a time: each request has an id, and to ask the system for one took 8 % of an `unchanged` read. */
const ahead = new Uint32Array(1_024)
let used = ahead.length

function nextUint32(): number {
  if (used === ahead.length) {
    randomFillSync(ahead)
    used = 0
  }
  const next = ahead[used] ?? 0
  used += 1
  return next
}

const generator = new V7Generator({ nextUint32 })

/** A new id such as `clm_…`: the prefix and 26 base32 characters of a UUIDv7, so that ids made together lie together in an index. */
export function newId(prefix: IdPrefix): string {
  return `${prefix}_${encodeBase32LowerCaseNoPadding(generator.generate().bytes)}`
}

/** A secret for a link: the prefix and 160 random bits as 32 base32 characters. Only its hash is stored. */
export function newSecret(prefix: string): string {
  return prefix + encodeBase32LowerCaseNoPadding(randomBytes(20))
}
