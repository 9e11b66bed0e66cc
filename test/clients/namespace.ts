import { spawn, spawnSync } from 'node:child_process'

const INSIDE = 'ORKESTRATE_CLIENTS_IN_NAMESPACE'

/** True in the copy of this process that sees nothing but a loopback interface. */
export const isInNamespace = (): boolean => process.env[INSIDE] === '1'

// As root plainly; as anybody else in a user namespace that keeps the uid, because Postgres refuses to run as root.
const NETWORK = ['--net', ...(process.getuid?.() === 0 ? [] : ['--map-current-user', '--keep-caps'])]
// Where /proc can be mounted, a process namespace too: then nothing that was started can outlive the run.
const PROCESSES = ['--pid', '--fork', '--kill-child', '--mount-proc']
const SET_UP = ['sh', '-c', 'ip link set lo up && exec "$@"', 'sh']

const attempt = (options: readonly string[]) =>
  spawnSync('unshare', [...options, ...SET_UP, 'true'], { encoding: 'utf8' })

/** Why no loopback-only network can be had here, or undefined. Needs the Debian packages util-linux and iproute2. */
export function namespaceObstacle(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces exist only on Linux'
  if (spawnSync('ip', ['-V']).error) return 'the program `ip` is missing (Debian package iproute2)'
  const { error, status, stderr } = attempt(NETWORK)
  if (error) return 'the program `unshare` is missing (Debian package util-linux)'
  return status === 0 ? undefined : `\`unshare ${NETWORK.join(' ')}\` is refused here: ${stderr.trim()}`
}

/** Runs this same program again where nothing but loopback can be reached; resolves to its exit code. */
export function rerunInNamespace(): Promise<number> {
  const both = [...NETWORK, ...PROCESSES]
  const options = attempt(both).status === 0 ? both : NETWORK
  const self = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  const child = spawn('unshare', [...options, ...SET_UP, ...self], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: '1' },
  })
  // A terminal signals the child as well, which then cleans up; `--kill-child` serves everybody else.
  process.on('SIGINT', () => undefined)
  process.on('SIGTERM', () => child.kill(options === both ? 'SIGKILL' : 'SIGTERM'))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}
