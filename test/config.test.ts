import { describe, expect, test } from 'vitest'
import { ConfigError, loadConfig } from '../src/config.ts'

function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    loadConfig(env)
  } catch (thrown) {
    if (thrown instanceof ConfigError) return thrown.faults
    throw thrown
  }
  return []
}

const OIDC = { OIDC_ISSUER: 'https://id.example/realm', OIDC_CLIENT_ID: 'id', OIDC_CLIENT_SECRET: 'secret' }
const SUPABASE = { SUPABASE_URL: 'https://abc.supabase.co/', SUPABASE_ANON_KEY: 'key' }

describe('where people sign in', () => {
  test('with a password, unless something else is configured; then with it, and whoever has a password keeps it', () => {
    expect(loadConfig({})).toMatchObject({ passwords: 'on', oidc: undefined, supabase: undefined })
    expect(loadConfig({ ...OIDC })).toMatchObject({
      passwords: 'existing',
      oidc: { issuer: 'https://id.example/realm', clientId: 'id', clientSecret: 'secret' },
    })
    expect(loadConfig({ ...SUPABASE })).toMatchObject({
      passwords: 'existing',
      supabase: { url: 'https://abc.supabase.co', anonKey: 'key' },
    })
    expect(loadConfig({ ...OIDC, ...SUPABASE, PASSWORDS: 'off' }).passwords).toBe('off')
    expect(loadConfig({ ...OIDC, PASSWORDS: 'on' }).passwords).toBe('on')
  })

  test.each([
    [
      { OIDC_CLIENT_ID: 'id' },
      ['OIDC_ISSUER: required with OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET: required with OIDC_CLIENT_ID'],
    ],
    [
      { OIDC_ISSUER: 'https://id.example', OIDC_CLIENT_ID: 'id' },
      ['OIDC_CLIENT_SECRET: required with OIDC_ISSUER and OIDC_CLIENT_ID'],
    ],
    [{ SUPABASE_URL: 'https://abc.supabase.co' }, ['SUPABASE_ANON_KEY: required with SUPABASE_URL']],
    [{ SUPABASE_ANON_KEY: 'key' }, ['SUPABASE_URL: required with SUPABASE_ANON_KEY']],
    [{ ...OIDC, OIDC_ISSUER: 'http://id.example' }, ['OIDC_ISSUER: must be https unless the host is loopback']],
    [{ ...OIDC, OIDC_ISSUER: 'id.example' }, [expect.stringMatching(/^OIDC_ISSUER: /)]],
    [
      { ...OIDC, OIDC_ISSUER: 'https://id.example/.well-known/openid-configuration' },
      [expect.stringContaining('the issuer itself')],
    ],
    [{ ...OIDC, OIDC_ISSUER: 'https://id.example/?tenant=1' }, [expect.stringContaining('the issuer itself')]],
    [
      { ...SUPABASE, SUPABASE_URL: 'https://abc.supabase.co/auth/v1' },
      ['SUPABASE_URL: must be an origin: scheme, host and port, no path'],
    ],
    [{ PASSWORDS: 'off' }, [expect.stringContaining('nobody could get in')]],
    [{ PASSWORDS: 'existing' }, [expect.stringContaining('nobody could get in')]],
  ])('%o is refused', (env, faults) => {
    expect(faultsOf(env as Record<string, string>)).toEqual(faults)
  })

  test('an empty variable is none, and a trailing slash of an issuer is part of its name', () => {
    expect(loadConfig({ OIDC_ISSUER: '', OIDC_CLIENT_ID: '', PASSWORDS: '' }).oidc).toBeUndefined()
    expect(loadConfig({ ...OIDC, OIDC_ISSUER: 'https://tenant.auth.example/' }).oidc?.issuer).toBe(
      'https://tenant.auth.example/',
    )
    expect(loadConfig({ ...OIDC, OIDC_ISSUER: 'http://127.0.0.1:8080' }).oidc?.issuer).toBe('http://127.0.0.1:8080')
  })
})

test('all faults are listed at once, of single variables and of those that belong together', () => {
  const faults = faultsOf({
    PORT: 'x',
    PUBLIC_URL: 'http://ork.example',
    OIDC_CLIENT_ID: 'id',
    SUPABASE_URL: 'ftp://abc',
    NODE_ENV: 'production',
    DATABASE_URL: 'postgres://localhost/ork',
  })
  expect(faults.map((fault) => fault.split(':')[0])).toEqual([
    'PORT',
    'PUBLIC_URL',
    'SUPABASE_URL',
    'SUPABASE_ANON_KEY',
    'OIDC_ISSUER',
    'OIDC_CLIENT_SECRET',
    'SECRET_KEY',
  ])
})

test('a replica waits for a load balancer after SIGTERM; a server with its own PostgreSQL has no other to send people to', () => {
  const DATABASE_URL = 'postgres://ork:secret@db/ork'
  expect(loadConfig({}).drainSeconds).toBe(0)
  expect(loadConfig({ DATABASE_URL }).drainSeconds).toBe(5)
  expect(loadConfig({ DATABASE_URL, DRAIN_SECONDS: '0' }).drainSeconds).toBe(0)
  expect(loadConfig({ DRAIN_SECONDS: '20' }).drainSeconds).toBe(20)
  for (const DRAIN_SECONDS of ['-1', '301', '1.5', 'soon'])
    expect(faultsOf({ DRAIN_SECONDS }).join()).toMatch(/^DRAIN_SECONDS: /u)
})
