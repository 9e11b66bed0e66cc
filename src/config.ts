import { resolve } from 'node:path'
import { z } from 'zod'
import { ADJUSTABLE_LIMITS, type AdjustableLimit } from './kernel/limits.ts'

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
  /** Bounds that differ from the defaults in kernel/limits.ts. */
  readonly limits: Readonly<Partial<Record<AdjustableLimit, number>>>
  /** Whose password lets them in: anybody's (and new accounts may have one), those people's who have one, nobody's. */
  readonly passwords: 'on' | 'existing' | 'off'
  /** Sign-in at a Supabase project, with Google. */
  readonly supabase: { readonly url: string; readonly anonKey: string } | undefined
  /** Sign-in at an OpenID Connect issuer, which is kept as it was written: it is compared, not only visited. */
  readonly oidc: { readonly issuer: string; readonly clientId: string; readonly clientSecret: string } | undefined
  /** Look up a client whose id is a URL by fetching it (Client ID Metadata Documents), and say so in the metadata. */
  readonly fetchClientDocuments: boolean
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
  /** Who sends it may read `/metrics`. Absent: only this machine itself may, where `loopbackOnly`. */
  readonly metricsToken: string | undefined
  /** The OpenTelemetry collector that traces are sent to. */
  readonly tracesTo: string | undefined
  /** Believe X-Forwarded-For from the proxy in front. */
  readonly trustProxy: boolean
  /**
   * How long after SIGTERM everything is still served while /readyz says no: longer than a load balancer takes to notice.
   * With the embedded PostgreSQL there is no other replica to go to, so it is 0 there unless it is set.
   */
  readonly drainSeconds: number
}

/** null where the text is no URL, which another check says. */
function urlOf(value: string): URL | null {
  return URL.canParse(value) ? new URL(value) : null
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

/** Names that only mean something inside a network: without a dot, or under a suffix kept free for that. */
const PRIVATE_NAME = /^[^.]+$|\.(?:localhost|local|internal|intranet|lan|home\.arpa)$/

/**
 * Is it a name that the internet knows, so that the server behind it probably reaches the internet too? Claude Code and
 * Codex switch to URL client ids as soon as they are offered, and cannot sign in where these cannot be fetched; where
 * they are not offered the clients register, which always works. So in doubt it is not.
 */
function isPublicName(hostname: string): boolean {
  const isAddress = hostname.startsWith('[') || /^[\d.]+$/.test(hostname)
  return !isAddress && !PRIVATE_NAME.test(hostname)
}

const flag = z
  .enum(['0', '1', 'true', 'false', ''])
  .default('false')
  .transform((value) => value === '1' || value === 'true')

/** OAuth 2.1 section 1.5. */
const secureUrl = z.url({ protocol: /^https?$/ }).refine((value) => {
  const url = urlOf(value)
  return url?.protocol !== 'http:' || LOOPBACK_HOSTS.has(url.hostname)
}, 'must be https unless the host is loopback')

const origin = secureUrl
  .refine((value) => {
    const url = urlOf(value)
    return url === null || (url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '')
  }, 'must be an origin: scheme, host and port, no path')
  .transform((value) => new URL(value).origin)

/** OpenID Connect Discovery section 4.3; what has a query or fragment is no issuer. */
const issuer = secureUrl.refine(
  (value) => !/[?#]|\/\.well-known\//u.test(value),
  'must be the issuer itself, as its metadata names it',
)

/** `name=number`, comma-separated. */
const limits = z.string().transform((text, context) => {
  const entries = text.split(',').map((part) => part.split('=').map((side) => side.trim()))
  const faulty = entries.filter(([name, value]) => !isAdjustable(name) || !/^[1-9]\d{0,9}$/u.test(value ?? ''))
  for (const fault of faulty) {
    const message = `"${fault.join('=')}" is not name=number, with a name of ${ADJUSTABLE_LIMITS.join(', ')}`
    context.addIssue({ code: 'custom', message })
  }
  return Object.fromEntries(entries.map(([name = '', value]) => [name, Number(value)]))
})

function isAdjustable(name: string | undefined): boolean {
  return ADJUSTABLE_LIMITS.some((adjustable) => adjustable === name)
}

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
  PASSWORDS: z.enum(['on', 'existing', 'off']).optional(),
  SUPABASE_URL: origin.optional(),
  SUPABASE_ANON_KEY: z.string().optional(),
  OIDC_ISSUER: issuer.optional(),
  OIDC_CLIENT_ID: z.string().optional(),
  OIDC_CLIENT_SECRET: z.string().optional(),
  CIMD: z.enum(['auto', 'on', 'off']).default('auto'),
  LIMITS: limits.default({}),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  // RFC 6750 section 2.1: what a bearer token can be.
  METRICS_TOKEN: z
    .string()
    .regex(/^[\w.~+/-]{16,}=*$/u, 'needs at least 16 letters, digits or -._~+/; `openssl rand -hex 24` makes one')
    .optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  TRUST_PROXY: flag,
  DRAIN_SECONDS: z.coerce.number().int().min(0).max(300).optional(),
  NODE_ENV: z.string().default('development'),
})

/** Variables that mean something only together. */
const TOGETHER = [
  ['SUPABASE_URL', 'SUPABASE_ANON_KEY'],
  ['OIDC_ISSUER', 'OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET'],
] as const

/** What is wrong with the variables beside each other, whatever is wrong with each. */
function faultsTogether(present: Readonly<Record<string, string | undefined>>): string[] {
  const has = (name: string) => present[name] !== undefined
  const incomplete = TOGETHER.flatMap((group) =>
    group.some(has)
      ? group.filter((name) => !has(name)).map((name) => `${name}: required with ${group.filter(has).join(' and ')}`)
      : [],
  )
  const elsewhere = TOGETHER.some((group) => group.some(has))
  const checks: readonly (readonly [boolean, string])[] = [
    [
      present['NODE_ENV'] === 'production' && has('DATABASE_URL') && !has('SECRET_KEY'),
      'SECRET_KEY: required in production with DATABASE_URL, the same on every replica',
    ],
    [
      (present['PASSWORDS'] === 'existing' || present['PASSWORDS'] === 'off') && !elsewhere,
      'PASSWORDS: without passwords for new people nobody could get in; set OIDC_… or SUPABASE_… too',
    ],
  ]
  return [...incomplete, ...checks.flatMap(([wrong, fault]) => (wrong ? [fault] : []))]
}

/**
 * Reads the configuration from environment variables. An empty variable counts as absent.
 *
 * @throws ConfigError listing every fault at once.
 */
export function loadConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
  const parsed = Environment.safeParse(present)
  const faults = [
    ...(parsed.error?.issues ?? []).map((issue) => `${issue.path.join('.')}: ${issue.message}`),
    ...faultsTogether(present),
  ]
  if (!parsed.success || faults.length > 0) throw new ConfigError(faults)
  const e = parsed.data
  const publicUrl = e.PUBLIC_URL ?? `http://localhost:${e.PORT}`
  const { SUPABASE_URL: url, SUPABASE_ANON_KEY: anonKey } = e
  const supabase = url === undefined || anonKey === undefined ? undefined : { url, anonKey }
  const { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: clientId, OIDC_CLIENT_SECRET: clientSecret } = e
  const oidc =
    issuer === undefined || clientId === undefined || clientSecret === undefined
      ? undefined
      : { issuer, clientId, clientSecret }
  return Object.freeze({
    port: e.PORT,
    hosts: e.HOST === undefined ? ['127.0.0.1', '::1'] : [e.HOST],
    publicUrl,
    loopbackOnly: LOOPBACK_HOSTS.has(new URL(publicUrl).hostname),
    databaseUrl: e.DATABASE_URL,
    dataDir: resolve(e.DATA_DIR),
    secretKeys: e.SECRET_KEY,
    signup: e.SIGNUP,
    passwords: e.PASSWORDS ?? (supabase === undefined && oidc === undefined ? 'on' : 'existing'),
    supabase,
    oidc,
    fetchClientDocuments: e.CIMD === 'auto' ? isPublicName(new URL(publicUrl).hostname) : e.CIMD === 'on',
    limits: e.LIMITS,
    logLevel: e.LOG_LEVEL,
    metricsToken: e.METRICS_TOKEN,
    tracesTo: e.OTEL_EXPORTER_OTLP_ENDPOINT,
    trustProxy: e.TRUST_PROXY,
    drainSeconds: e.DRAIN_SECONDS ?? (e.DATABASE_URL === undefined ? 0 : 5),
  })
}
