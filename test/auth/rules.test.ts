import { describe, expect, test } from 'vitest'
import { createAnswerCache } from '../../src/auth/answer-cache.ts'
import { FREQUENT_PASSWORDS } from '../../src/auth/common-passwords-list.ts'
import { isCommonPassword } from '../../src/auth/common-passwords.ts'
import { displayName } from '../../src/auth/display-name.ts'
import { safeNext } from '../../src/auth/next-path.ts'
import { isChallenge, verifies } from '../../src/auth/pkce.ts'
import { isRegistrable, redirectUriMatches, withParameters } from '../../src/auth/redirect-uri.ts'
import { canonicalResource, opens } from '../../src/auth/resource.ts'
import { grantableScopes, narrowedScopes } from '../../src/auth/scope.ts'
import { createThrottle } from '../../src/auth/throttle.ts'
import { newToken, tokenKind } from '../../src/auth/token-format.ts'
import { deferred } from '../support/deferred.ts'
import { newPkce } from '../support/oauth.ts'

const ORIGIN = 'https://ork.example'

describe('redirect URIs are equal as text, with the port of loopback as the only freedom (S-17, RFC 8252 §7.3)', () => {
  const loopback = 'http://127.0.0.1:3000/callback'
  test.each([
    [loopback, loopback],
    [loopback, 'http://127.0.0.1:51234/callback'],
    [loopback, 'http://127.0.0.1/callback'],
    ['http://127.0.0.1/callback', loopback],
    ['http://localhost/callback', 'http://localhost:65535/callback'],
    ['http://[::1]:1/callback', 'http://[::1]:2/callback'],
    ['http://127.0.0.1:33418', 'http://127.0.0.1:1'],
    ['http://localhost:1/cb?x=1', 'http://localhost:2/cb?x=1'],
    ['cursor://anysphere.cursor-mcp/oauth/callback', 'cursor://anysphere.cursor-mcp/oauth/callback'],
    ['https://vscode.dev/redirect', 'https://vscode.dev/redirect'],
  ])('%s takes %s', (registered, requested) => {
    expect(redirectUriMatches(registered, requested)).toBe(true)
  })
  test.each([
    [loopback, 'http://127.0.0.1:3000/callback/'],
    [loopback, 'http://127.0.0.1:3000/callback?x=1'],
    [loopback, 'http://127.0.0.1:3000/callback/../x'],
    [loopback, 'http://127.0.0.1:3000/Callback'],
    [loopback, 'http://127.0.0.1:3000/%63allback'],
    [loopback, 'http://127.0.0.1:3000/callback%2e'],
    [loopback, 'http://127.0.0.1:3000/callback#f'],
    [loopback, 'http://localhost:3000/callback'],
    [loopback, 'http://[::1]:3000/callback'],
    [loopback, 'http://127.1:3000/callback'],
    [loopback, 'http://0x7f.1:3000/callback'],
    [loopback, 'http://2130706433:3000/callback'],
    [loopback, 'http://127.0.0.1.evil.com:3000/callback'],
    [loopback, 'http://127.0.0.1@evil.com:3000/callback'],
    [loopback, 'http://a@127.0.0.1:3000/callback'],
    [loopback, 'HTTP://127.0.0.1:3000/callback'],
    [loopback, 'https://127.0.0.1:3000/callback'],
    [loopback, 'http://127.0.0.1:0/callback'],
    [loopback, 'http://127.0.0.1:65536/callback'],
    [loopback, 'http://127.0.0.1:/callback'],
    [loopback, 'http://127.0.0.1:03000/callback'],
    [loopback, 'http://127.0.0.1\\@evil.com/callback'],
    ['http://localhost:3000/callback', 'http://localhost.evil.com:3000/callback'],
    ['http://localhost:3000/callback', 'http://localhost.:3000/callback'],
    ['https://app.example/cb', 'https://app.example:444/cb'],
    ['https://app.example/cb', 'https://app.example:443/cb'],
    ['https://app.example/cb', 'https://APP.example/cb'],
    ['cursor://anysphere.cursor-mcp/oauth/callback', 'cursor://anysphere.cursor-mcp:1/oauth/callback'],
  ])('%s refuses %s', (registered, requested) => {
    expect(redirectUriMatches(registered, requested)).toBe(false)
  })
})

describe('a redirect URI may be registered if a browser can only take it one way (S-20, OAuth 2.1 §2.3.1)', () => {
  test.each([
    'https://app.example/cb',
    'https://www.cursor.com/agents/mcp/oauth/callback',
    'http://localhost:8787/callback',
    'http://127.0.0.1:33418',
    'http://[::1]:5000/cb',
    'cursor://anysphere.cursor-mcp/oauth/callback',
    'vscode://dynamicauthprovider/callback',
    'com.example.app:/callback',
  ])('takes %s', (uri) => {
    expect(isRegistrable(uri)).toBe(true)
  })
  test.each([
    '',
    'callback',
    '/callback',
    'localhost:3000/callback',
    'http://app.example/cb',
    'http://10.0.0.1/cb',
    'javascript:alert(1)',
    'JavaScript://x/%0aalert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    'vbscript:x',
    'blob:https://app.example/1',
    'view-source:https://app.example',
    'ws://app.example',
    'intent://x',
    'https://app.example/cb#f',
    'https://*.example/cb',
    'https://user@app.example/cb',
    'https://app.example\\@evil.com/cb',
    'https://app.example/c b',
    'https://app.example/\u202Ecb',
    'https://app.example/\ncb',
    'https:app.example/cb',
    `https://app.example/${'x'.repeat(1024)}`,
  ])('refuses %j', (uri) => {
    expect(isRegistrable(uri)).toBe(false)
  })
})

test('response parameters are added to what the client registered without changing it', () => {
  expect(withParameters('http://127.0.0.1:1', { code: 'a b', state: undefined })).toBe('http://127.0.0.1:1?code=a+b')
  expect(withParameters('https://app.example/cb?x=%7e', { code: '1' })).toBe('https://app.example/cb?x=%7e&code=1')
})

test('PKCE takes the verifier of its challenge and nothing else (S-22, RFC 7636 §4.6)', () => {
  const { verifier, challenge } = newPkce()
  expect(isChallenge(challenge)).toBe(true)
  expect(verifies(verifier, challenge)).toBe(true)
  expect(verifies(newPkce().verifier, challenge)).toBe(false)
  expect(verifies(challenge, challenge)).toBe(false)
  // RFC 7636 appendix B.
  expect(verifies('dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk', 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM')).toBe(
    true,
  )
})

test.each([42, 129])('PKCE refuses a verifier of %i characters', (length) => {
  const verifier = 'v'.repeat(length)
  expect(verifies(verifier, 'x')).toBe(false)
})

test('where to go on is a path on our own origin, read as a browser reads it (S-39, ASVS 3.7.2)', () => {
  const kept = ['/', '/account/connections', '/oauth/authorize?client_id=a&redirect_uri=http%3A%2F%2F127.0.0.1']
  for (const next of kept) expect(safeNext(next, ORIGIN)).toBe(next)
  const refused = [
    undefined,
    '',
    'evil',
    '//evil',
    '///evil',
    '/\\evil',
    '\\\\evil',
    'https:evil',
    'https://evil',
    '/\t/evil',
    '\t//evil',
    '/\n/evil',
    '/.//evil',
    '/x/..//evil',
    ' //evil',
    'javascript:alert(1)',
  ]
  expect(refused.filter((next) => safeNext(next, ORIGIN) !== '/')).toEqual([])
})

test('a resource is ours in any spelling that means the same, and in no other (S-07, RFC 8707 §2)', () => {
  for (const spelling of ['/api/mcp', '/api/mcp/']) {
    expect(canonicalResource(ORIGIN, ORIGIN + spelling)).toBe('https://ork.example/api/mcp')
  }
  expect(canonicalResource(ORIGIN, 'HTTPS://ORK.example:443/api/mcp')).toBe('https://ork.example/api/mcp')
  expect(canonicalResource(ORIGIN, 'https://ork.example/api')).toBe('https://ork.example/api')
  const foreign = ['/api/mcp#f', '/api/mcp?x', '/API/mcp', '/api/mcp//', '/api/mcp/x', '', '/']
  expect(foreign.filter((path) => canonicalResource(ORIGIN, ORIGIN + path) !== null)).toEqual([])
  const others = ['http://ork.example/api/mcp', 'https://ork.example:444/api/mcp', 'https://u@ork.example/api/mcp', 'x']
  expect(others.filter((other) => canonicalResource(ORIGIN, other) !== null)).toEqual([])
})

test('a token for REST does not open MCP; one for MCP opens both (S-05, RFC 8707 §2)', () => {
  expect(opens(ORIGIN, 'https://ork.example/api', 'mcp')).toBe(false)
  expect(opens(ORIGIN, 'https://ork.example/api', 'rest')).toBe(true)
  expect(opens(ORIGIN, 'https://ork.example/api/mcp', 'mcp')).toBe(true)
  expect(opens(ORIGIN, 'https://ork.example/api/mcp', 'rest')).toBe(true)
  expect(opens(ORIGIN, 'https://old.example/api/mcp', 'mcp')).toBe(false)
})

test('scopes narrow silently when asked for, and never grow when refreshed (S-11, S-24, RFC 6749 §3.3)', () => {
  expect(grantableScopes('mcp:read offline_access')).toEqual(['mcp:read'])
  expect(grantableScopes(undefined)).toEqual(['mcp:read', 'mcp:write'])
  expect(grantableScopes('openid')).toEqual(['mcp:read', 'mcp:write'])
  expect(narrowedScopes(undefined, ['mcp:read'])).toEqual(['mcp:read'])
  expect(narrowedScopes('mcp:read', ['mcp:read', 'mcp:write'])).toEqual(['mcp:read'])
  expect(narrowedScopes('mcp:read mcp:write', ['mcp:read'])).toBeNull()
  expect(narrowedScopes('admin', ['mcp:read'])).toBeNull()
})

test('names lose everything that could deceive a reader, and stay names (S-32, RFC 7591 §5)', () => {
  expect(displayName('  Claude\u00A0\n Code ', '?')).toBe('Claude Code')
  expect(displayName('ab\u202Ecd\u200B\u{E0041}\u0000', '?')).toBe('abcd')
  expect(displayName('\u202E\u200B', 'Unnamed')).toBe('Unnamed')
  expect(displayName('\u3164\u115F\u2800\u034F', 'Unnamed')).toBe('Unnamed')
  expect(displayName(`Z${'\u0351'.repeat(50)}al`, '?')).toBe('Z\u0351\u0351\u0351al')
  expect(displayName('บี้ ד֟֜ Nguyễn', '?')).toBe('บี้ ד֟֜ Nguyễn')
  expect(displayName('x'.repeat(10_000), '?')).toHaveLength(60)
  expect(displayName('Zoë 張', '?')).toBe('Zoë 張')
})

test('the 3,000 passwords that are tried first are known, in any case of letters (S-38, ASVS 6.2.4)', () => {
  const frequent = FREQUENT_PASSWORDS.trim().split(/\s+/)
  expect(new Set(frequent).size).toBe(3_000)
  expect(frequent.filter((password) => password.length < 8 || password !== password.toLowerCase())).toEqual([])
  const known = (password: string) => isCommonPassword(password, 'ada@example.org')
  expect(frequent.filter((password) => !known(password) || !known(password.toUpperCase()))).toEqual([])
  for (const own of ['ada@example.org', 'orkestrate', 'Changeme123']) expect(known(own)).toBe(true)
  for (const good of ['analytical engine 1843', 'correct horse battery']) expect(known(good)).toBe(false)
})

test('tokens are unique, say what they are, and break with any changed character (S-12, RFC 6749 §10.10)', () => {
  const tokens = Array.from({ length: 10_000 }, () => newToken('at'))
  expect(new Set(tokens).size).toBe(10_000)
  for (const token of tokens) expect(token).toMatch(/^ork_at_[a-z2-7]{32}[0-9a-z]{7}$/)
  const [token = ''] = tokens
  expect(tokenKind(token)).toBe('at')
  expect(tokenKind(newToken('rt'))).toBe('rt')
  expect(tokenKind(token.replace('ork_at_', 'ork_rt_'))).toBeNull()
  expect(tokenKind(`${token}a`)).toBeNull()
  expect(tokenKind(token.slice(0, -1))).toBeNull()
  const other = token.endsWith('a') ? 'b' : 'a'
  expect(tokenKind(token.slice(0, -1) + other)).toBeNull()
})

test('a throttle lets the limit through per key and window, and tells how long to wait', () => {
  let now = 0
  const throttle = createThrottle(2, 60, () => now)
  expect([throttle.take('a'), throttle.take('a'), throttle.take('a')]).toEqual([null, null, 60])
  expect(throttle.take('b')).toBeNull()
  now = 59_500
  expect(throttle.take('a')).toBe(1)
  now = 60_000
  expect(throttle.take('a')).toBeNull()
})

describe('the cache of proven tokens', () => {
  const found = async () => ({ value: 'ada', validMs: 60_000 })

  test('believes an answer for its time at most, counted from the question', async () => {
    let now = 0
    const cache = createAnswerCache<string>(1_000, 10, () => now)
    await cache.fill('t', async () => {
      now = 400
      return found()
    })
    now = 999
    expect(cache.get('t')).toBe('ada')
    now = 1_000
    expect(cache.get('t')).toBeUndefined()
  })

  test('believes no answer past the token’s own end', async () => {
    let now = 0
    const cache = createAnswerCache<string>(1_000, 10, () => now)
    await cache.fill('t', async () => ({ value: 'ada', validMs: 10 }))
    now = 10
    expect(cache.get('t')).toBeUndefined()
  })

  test('keeps nothing that was looked up before a clear', async () => {
    const cache = createAnswerCache<string>(1_000, 10, () => 0)
    const gate = deferred()
    const filling = cache.fill('t', async () => {
      await gate.promise
      return found()
    })
    cache.clear()
    gate.resolve()
    await filling
    expect(cache.get('t')).toBeUndefined()
  })

  test('is bounded, and remembers no absence', async () => {
    const cache = createAnswerCache<string>(1_000, 2, () => 0)
    for (const key of ['a', 'b', 'c']) await cache.fill(key, found)
    expect(['a', 'b', 'c'].map((key) => cache.get(key))).toEqual([undefined, 'ada', 'ada'])
    expect(await cache.fill('d', async () => null)).toBeNull()
    expect(cache.get('d')).toBeUndefined()
  })
})
