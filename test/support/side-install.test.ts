import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { installAside, type SideInstallation } from './side-install.ts'

describe('a program that is installed beside the project', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'orkestrate-aside-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  /** A package on disk whose program notes each start and does `then`. */
  function packageWith(then: string): SideInstallation {
    const source = join(folder, 'source')
    mkdirSync(source)
    const manifest = { name: 'judge', version: '1.0.0', bin: { judge: 'judge.sh' } }
    writeFileSync(join(source, 'package.json'), JSON.stringify(manifest))
    writeFileSync(join(source, 'judge.sh'), `#!/bin/sh\necho start >> ${folder}/starts\n${then}\n`)
    chmodSync(join(source, 'judge.sh'), 0o755)
    const packages = { judge: `file:${source}` }
    return { folder: join(folder, 'installed'), packages, postinstalls: {}, programs: ['.bin/judge'] }
  }
  const starts = (): number => readFileSync(join(folder, 'starts'), 'utf8').trim().split('\n').length

  it('is installed anew when it does not start, as without the platform binary that npm may leave out', () => {
    const failure = installAside(packageWith(`[ "$(wc -l < ${folder}/starts)" -ge 2 ]`))
    expect(failure).toBeUndefined()
    expect(starts()).toBe(2)
  })

  it('is not taken for installed when it never starts, and says which program and why', () => {
    const failure = installAside(packageWith('echo "no binary for this platform" >&2; exit 1'))
    expect(failure).toMatch(/judge --version` failed: no binary for this platform/)
    expect(starts()).toBe(3)
    expect(existsSync(join(folder, 'installed', '.proven'))).toBe(false)
  })
})
