import { spawn, spawnSync } from 'node:child_process'

const INSIDE = 'ORKESTRATE_CLIENTS_IN_NAMESPACE'

/** True in the copy of this process that sees nothing but a loopback interface. */
export const isInNamespace = (): boolean => process.env[INSIDE] === '1'

const unshare = process.getuid?.() === 0 ? ['unshare', '--net'] : ['unshare', '--map-root-user', '--net']
const SET_UP = 'ip link set lo up && exec "$@"'

/** Why no loopback-only network can be had here, or undefined. Needs the Debian packages util-linux and iproute2. */
export function namespaceObstacle(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces exist only on Linux'
  if (spawnSync('ip', ['-V']).error) return 'the program `ip` is missing (Debian package iproute2)'
  const [program = '', ...options] = unshare
  const attempt = spawnSync(program, [...options, 'sh', '-c', SET_UP, 'sh', 'true'], { encoding: 'utf8' })
  if (attempt.error) return 'the program `unshare` is missing (Debian package util-linux)'
  return attempt.status === 0 ? undefined : `\`${unshare.join(' ')}\` is refused here: ${attempt.stderr.trim()}`
}

/** Runs this same program again where nothing but loopback can be reached; resolves to its exit code. */
export function rerunInNamespace(): Promise<number> {
  const [program = '', ...options] = unshare
  const self = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  const child = spawn(program, [...options, 'sh', '-c', SET_UP, 'sh', ...self], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: '1' },
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}
