import { createHash, hash, hkdfSync, timingSafeEqual } from 'node:crypto'
import type { Sealer } from '../kernel/sealer.ts'
import { EncryptJWT, errors, jwtDecrypt, type JWTPayload } from 'jose'

/** The form in which every secret of ours is stored and looked up: SHA-256 in lower-case hex. */
export function sha256(secret: string): string {
  return hash('sha256', secret, 'hex')
}

/** Compares two secrets in a time that tells nothing about them, not even their length. */
export function equalSecrets(a: string, b: string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest())
}

/** A key for one purpose out of a secret with full entropy (RFC 5869). */
export function deriveKey(secret: string, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, 'orkestrate', purpose, 32))
}

/** Encrypts claims so that only the key opens them and nobody can change them (AES-256-GCM, RFC 7516). */
export async function seal(key: Uint8Array, claims: JWTPayload): Promise<string> {
  return new EncryptJWT(claims).setProtectedHeader({ alg: 'dir', enc: 'A256GCM' }).encrypt(key)
}

/** What `seal` took, or null when the text was changed, is under another key, or its `exp` is past. */
export async function open(key: Uint8Array, sealed: string): Promise<JWTPayload | null> {
  try {
    const algorithms = { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'] }
    return (await jwtDecrypt(sealed, key, algorithms)).payload
  } catch (thrown) {
    if (thrown instanceof errors.JOSEError) return null
    throw thrown
  }
}

/** @param secrets the first seals, all open, so that they can be exchanged one after the other. */
export function createSealer(secrets: readonly string[], purpose: string): Sealer {
  const keys = secrets.map((secret) => deriveKey(secret, purpose))
  const [first] = keys
  if (first === undefined) throw new Error('a sealer needs at least one key')
  return {
    seal: (claims, ttlSeconds) => seal(first, { ...claims, exp: Math.floor(Date.now() / 1_000) + ttlSeconds }),
    async open(sealed) {
      for (const key of keys) {
        const claims = await open(key, sealed)
        if (claims !== null) return claims
      }
      return null
    },
  }
}
