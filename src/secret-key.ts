import { randomBytes } from 'node:crypto'
import { mkdir, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * The keys that seal what browsers carry: SECRET_KEY's, or one that is made at the first start and kept in `dataDir`,
 * readable by its owner only. Two first starts at once end with one key.
 */
export async function secretKeys(config: {
  readonly secretKeys: readonly string[]
  readonly dataDir: string
}): Promise<readonly string[]> {
  if (config.secretKeys.length > 0) return config.secretKeys
  const path = join(config.dataDir, 'secret-key')
  await mkdir(config.dataDir, { recursive: true })
  try {
    const file = await open(path, 'wx', 0o600)
    await file.writeFile(`${randomBytes(48).toString('base64url')}\n`)
    await file.sync()
    await file.close()
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
  const key = (await readFile(path, 'utf8')).trim()
  if (key.length < 32)
    throw new Error(`${path} holds no key of at least 32 characters; delete it to have a new one made`)
  return [key]
}
