import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readFile, unlink } from 'node:fs/promises'
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
  const stored = (await readIfThere(path)) ?? (await create(config.dataDir, path))
  const key = stored.trim()
  if (key.length < 32)
    throw new Error(`${path} holds no key of at least 32 characters; delete it to have a new one made`)
  return [key]
}

async function readIfThere(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(ignoring('ENOENT'))
}

/** Under another name first: whoever else starts now sees the whole key or none, and the first to be named so stays. */
async function create(dataDir: string, path: string): Promise<string> {
  await mkdir(dataDir, { recursive: true })
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  const file = await open(draft, 'wx', 0o600)
  await file.writeFile(`${randomBytes(48).toString('base64url')}\n`)
  await file.sync()
  await file.close()
  await link(draft, path).catch(ignoring('EEXIST'))
  await unlink(draft)
  return readFile(path, 'utf8')
}

/** For `catch`: null instead of this error. */
function ignoring(code: string): (error: unknown) => null {
  return (error) => {
    if (error instanceof Error && 'code' in error && error.code === code) return null
    throw error
  }
}
