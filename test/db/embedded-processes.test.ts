import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import { isAlive, processIdentity } from '../../src/db/embedded/processes.ts'

/** A process that has ended and that its parent, by then a `sleep`, will never ask about. */
async function zombie(): Promise<number> {
  const parent = spawn('sh', ['-c', 'exec 3<&0; cat <&3 & echo $!; exec sleep 600'])
  onTestFinished(() => {
    parent.kill('SIGKILL')
  })
  let pid = 0
  for await (const line of createInterface(parent.stdout)) {
    pid = Number(line)
    break
  }
  // A shell would reap it.
  await expect.poll(() => readFileSync(`/proc/${parent.pid}/comm`, 'utf8')).toBe('sleep\n')
  parent.stdin.end()
  return pid
}

test.runIf(process.platform === 'linux')(
  'a process that has ended is not alive, whoever has yet to reap it',
  async () => {
    const pid = await zombie()
    await expect.poll(() => processIdentity(pid)).toBeUndefined()
    expect(() => process.kill(pid, 0)).not.toThrow()
    expect(isAlive(pid)).toBe(false)
    expect(isAlive(process.pid)).toBe(true)
  },
)
