// `npm start`: the server from its sources. Node 20 cannot run TypeScript; a loader that translates each of three hundred
// files as it is imported takes 2.2 s for them, one file made of all by esbuild 0.7 s, of which 0.2 s to make it (`npm run
// bench -- --rows start`). It is made anew at each start, so it is never older than the sources.
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { buildSync } from 'esbuild'

const PROJECT = fileURLToPath(new URL('..', import.meta.url))

/** Below node_modules, where packages are found and git does not look. */
const FOLDER = join(PROJECT, 'node_modules/.cache/orkestrate')

/** Makes the file. Another start may be making or loading it at the same time: it is whole at every moment. */
function bundle() {
  const outfile = join(FOLDER, 'main.mjs')
  const { outputFiles } = buildSync({
    absWorkingDir: PROJECT,
    entryPoints: ['src/main.ts'],
    outfile,
    write: false,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: true,
    logLevel: 'error',
  })
  mkdirSync(FOLDER, { recursive: true })
  for (const { path, contents } of outputFiles) {
    const unfinished = `${path}.${process.pid}`
    writeFileSync(unfinished, contents)
    renameSync(unfinished, path)
  }
  return outfile
}

/** In a checkout of somebody else's, nothing can be written: then file by file. */
async function load() {
  try {
    return bundle()
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS'].includes(error.code)) throw error
    await import('tsx')
    return join(PROJECT, 'src/main.ts')
  }
}

process.setSourceMapsEnabled(true)
await import(pathToFileURL(await load()).href)
