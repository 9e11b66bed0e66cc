import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PROJECT = fileURLToPath(new URL('../..', import.meta.url))

/** Below node_modules, where packages are found and git does not look. */
const COMPILED = join(PROJECT, 'node_modules/.cache/orkestrate/bench')

/**
 * Compiles what is measured and what measures it, as `npm run build` does for the image. Translated as it is loaded, each
 * function would be given its name whenever it is made: a fifth of what an event stream holds, and of the time of a call.
 */
export function compile(): void {
  const tsc = join(PROJECT, 'node_modules/typescript/bin/tsc')
  execFileSync(process.execPath, [tsc, '-p', join(PROJECT, 'bench')], { cwd: PROJECT, stdio: 'inherit' })
}

/** Where the compiled form of a source is. @param source from the project's root */
export const compiled = (source: string): string => join(COMPILED, source.replace(/\.ts$/u, '.js'))
