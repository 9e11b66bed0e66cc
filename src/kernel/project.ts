import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * The folder that holds package.json and migrations: of a checkout, or of the image. Looked for upwards, since compiled code
 * and the one file that `npm start` makes lie elsewhere than the sources.
 */
export const PROJECT = projectAbove(dirname(fileURLToPath(import.meta.url)))

function projectAbove(folder: string): string {
  if (existsSync(join(folder, 'package.json')) && existsSync(join(folder, 'migrations'))) return folder
  const parent = dirname(folder)
  if (parent === folder) throw new Error('no folder above the code holds package.json and migrations')
  return projectAbove(parent)
}
