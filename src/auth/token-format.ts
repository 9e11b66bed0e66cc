import { randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { encodeBase32LowerCaseNoPadding } from '@oslojs/encoding'

/**
 * What a secret of ours is: access token, refresh token, authorization code, browser session; personal access token, of a
 * server on the internet (`live`) or on somebody's own machine (`test`).
 */
const KINDS = ['at', 'rt', 'ac', 'bs', 'live', 'test'] as const
export type TokenKind = (typeof KINDS)[number]

const RANDOM_BYTES = 20
const BODY = /^ork_([a-z]{2,4})_[a-z2-7]{32}/
const CHECKSUM_CHARS = 7

/**
 * A new secret: `ork_<kind>_`, 160 random bits as 32 base32 characters (a-z, 2-7), and the CRC-32 of all that as 7
 * base36 characters. In a secret scanner: `ork_[a-z]{2,4}_[a-z2-7]{32}[0-9a-z]{7}`; the checksum, as in GitHub's tokens,
 * tells a real one from a look-alike without asking us.
 */
export function newToken(kind: TokenKind): string {
  const body = `ork_${kind}_${encodeBase32LowerCaseNoPadding(randomBytes(RANDOM_BYTES))}`
  return body + checksum(body)
}

/** What `text` claims to be, if its form and checksum hold; null for everything else. Proves nothing by itself. */
export function tokenKind(text: string): TokenKind | null {
  const [body, named] = BODY.exec(text) ?? []
  if (body === undefined || text !== body + checksum(body)) return null
  return KINDS.find((kind) => kind === named) ?? null
}

function checksum(body: string): string {
  return crc32(body).toString(36).padStart(CHECKSUM_CHARS, '0')
}
