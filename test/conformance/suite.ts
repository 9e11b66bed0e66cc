import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { stripVTControlCharacters } from 'node:util'
import { SUITE } from './install.ts'

const TIMEOUT_MS = 120_000

/**
 * Runs the suite to its end.
 *
 * @param onOutput what it has printed so far, each time that it prints
 * @returns all that it printed
 * @throws Error with that, unless it ends with 0 and in time
 */
export async function runSuite(args: readonly string[], onOutput?: (output: string) => void): Promise<string> {
  const [node, program] = SUITE
  const child = spawn(node, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'], timeout: TIMEOUT_MS })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += stripVTControlCharacters(text)
      onOutput?.(output)
    })
  }
  await once(child, 'close')
  if (child.exitCode === 0) return output
  const end = child.exitCode ?? child.signalCode
  throw new Error(`the suite ended with ${end}:\n${findings(output)}`)
}

/** What is wrong: the suite's judgement by the baseline, else by each scenario. */
function findings(output: string): string {
  const start = ['Stale baseline entries', 'Unexpected failures', '=== SUMMARY ===']
    .map((heading) => output.indexOf(heading))
    .find((position) => position >= 0)
  return output
    .slice(start ?? 0)
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('✓ '))
    .join('\n')
}
