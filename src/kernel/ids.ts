import { encodeBase32LowerCaseNoPadding } from '@oslojs/encoding'
import { uuidv7obj } from 'uuidv7'

/** One prefix per kind of thing, so that an id says what it names wherever it turns up. */
export type IdPrefix = 'usr' | 'ws' | 'rep' | 'ses' | 'run' | 'clm' | 'gr' | 'cl' | 'req' | 'inv' | 'pat'

/** A new id such as `clm_…`: the prefix and 26 base32 characters of a UUIDv7, so ids of one kind sort by their birth. */
export function newId(prefix: IdPrefix): string {
  return `${prefix}_${encodeBase32LowerCaseNoPadding(uuidv7obj().bytes)}`
}
