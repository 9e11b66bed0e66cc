import { resolve } from 'node:path'
import { z } from 'zod'

/** Everything the process is told from outside, validated and frozen. Nothing else reads the environment. */
export interface Config {
  readonly port: number
  /** Addresses to listen on. By default loopback only, both families, because `localhost` means either. */
  readonly hosts: readonly string[]
  /** The origin that clients see, without a trailing slash; the OAuth issuer. Never taken from a request. */
  readonly publicUrl: string
  /** True where `publicUrl` is reachable from this machine only; some bootstrap rules are softer there. */
  readonly loopbackOnly: boolean
  /** Absent: the embedded PostgreSQL in `dataDir`. */
  readonly databaseUrl: string | undefined
  readonly dataDir: string
  /** The first seals, all open. Empty: main.ts generates one and keeps it in `dataDir`. */
  readonly secretKeys: readonly string[]
  readonly signup: 'open' | 'invite' | 'closed'
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
  /** Believe X-Forwarded-For from the proxy in front. */
  readonly trustProxy: boolean
}

/** Thrown by loadConfig; `faults` lists everything that is wrong at once. */
export class ConfigError extends Error {
  readonly faults: readonly string[]
  constructor(faults: readonly string[]) {
    super(
      `The configuration has ${faults.length === 1 ? 'a fault' : 'faults'}:\n${faults.map((f) => `  - ${f}`).join('\n')}`,
    )
    this.name = 'ConfigError'
    this.faults = faults
  }
}

const LOOPBACK_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]'])

const flag = z
  .enum(['0', '1', 'true', 'false', ''])
  .default('false')
  .transform((value) => value === '1' || value === 'true')

const origin = z.url({ protocol: /^https?$/ }).transform((value, context) => {
  const url = new URL(value)
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '') {
    context.addIssue({ code: 'custom', message: 'must be an origin: scheme, host and port, no path' })
  }
  if (url.protocol === 'http:' && !LOOPBACK_HOSTS.has(url.hostname)) {
    context.addIssue({ code: 'custom', message: 'must be https unless the host is loopback (OAuth 2.1 section 1.5)' })
  }
  return url.origin
})

const Environment = z.object({
  PORT: z.coerce.number().int().min(0).max(65_535).default(7300),
  HOST: z.string().min(1).optional(),
  PUBLIC_URL: origin.optional(),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  DATA_DIR: z.string().min(1).default('.orkestrate'),
  SECRET_KEY: z
    .string()
    .optional()
    .transform((value) => (value === undefined ? [] : value.split(',').map((key) => key.trim())))
    .pipe(z.array(z.string().min(32, 'each key needs at least 32 characters; `openssl rand -base64 48` makes one'))),
  SIGNUP: z.enum(['open', 'invite', 'closed']).default('open'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  TRUST_PROXY: flag,
  NODE_ENV: z.string().default('development'),
})

/**
 * Reads the configuration from environment variables. An empty variable counts as absent.
 *
 * @throws ConfigError listing every fault at once.
 */
export function loadConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
  const parsed = Environment.safeParse(present)
  if (!parsed.success) throw new ConfigError(parsed.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`))
  const e = parsed.data
  if (e.NODE_ENV === 'production' && e.DATABASE_URL !== undefined && e.SECRET_KEY.length === 0) {
    throw new ConfigError(['SECRET_KEY: required in production with DATABASE_URL, the same on every replica'])
  }
  const publicUrl = e.PUBLIC_URL ?? `http://localhost:${e.PORT}`
  return Object.freeze({
    port: e.PORT,
    hosts: e.HOST === undefined ? ['127.0.0.1', '::1'] : [e.HOST],
    publicUrl,
    loopbackOnly: LOOPBACK_HOSTS.has(new URL(publicUrl).hostname),
    databaseUrl: e.DATABASE_URL,
    dataDir: resolve(e.DATA_DIR),
    secretKeys: e.SECRET_KEY,
    signup: e.SIGNUP,
    logLevel: e.LOG_LEVEL,
    trustProxy: e.TRUST_PROXY,
  })
}
