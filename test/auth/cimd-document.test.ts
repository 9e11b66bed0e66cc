import type { IncomingHttpHeaders, RequestListener } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { documentTtlSeconds, isClientIdUrl } from '../../src/auth/client-document.ts'
import { type ClientDocuments, createClientDocuments } from '../../src/auth/client-documents.ts'
import { createGuardedFetch } from '../../src/auth/guarded-fetch.ts'
import { AUTH_LIMITS } from '../../src/auth/limits.ts'
import { pretendInternet, type PretendInternet } from '../support/internet.ts'

// Section numbers are those of draft-ietf-oauth-client-id-metadata-document-02 (CIMD).

const URL_ID = 'https://client.example/oauth/client.json'
const WITH_PORT = 'https://client.example:443/oauth/client.json'
const BOUNDS = { bytes: AUTH_LIMITS.documentBytes, ms: AUTH_LIMITS.documentFetchMs }

/** As Claude Code publishes it, under a name of the fixture's. */
const DOCUMENT = {
  client_id: URL_ID,
  client_name: 'Claude Code',
  client_uri: 'https://client.example',
  redirect_uris: ['http://localhost/callback', 'http://127.0.0.1/callback'],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
}

let internet: PretendInternet
let documents: ClientDocuments
let reasons: string[]
beforeAll(async () => {
  internet = await pretendInternet()
})
afterAll(() => internet.close())
beforeEach(() => {
  reasons = []
  const ignore = () => undefined
  const warn = (facts: object) => void reasons.push('reason' in facts ? String(facts.reason) : '')
  const log = { debug: ignore, info: ignore, warn, error: ignore }
  documents = createClientDocuments(createGuardedFetch(BOUNDS, internet.network), log, () => performance.now())
})

const find = (url = URL_ID) => documents.find(url, 'usr_ada')

const serving =
  (body: unknown, headers: Record<string, string> = {}, status = 200): RequestListener =>
  (_request, response) =>
    void response
      .writeHead(status, { 'content-type': 'application/json', ...headers })
      .end(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body))

describe('which client ids are URLs of documents (S-43, CIMD §3)', () => {
  test.each([
    'https://claude.ai/oauth/claude-code-client-metadata',
    'https://chatgpt.com/oauth/codex/client.json',
    'https://opencode.ai/oauth/opencode/client.json',
    'https://vscode.dev/oauth/client-metadata.json',
    'https://client.example/a',
    'https://client.example/a/..b/.c/d..',
    'https://xn--bcher-kva.example/client',
    'https://client.example/%7Eada/client',
    `https://client.example/${'x'.repeat(512 - 'https://client.example/'.length)}`,
  ])('%s', (url) => {
    expect(isClientIdUrl(url)).toBe(true)
  })

  test.each([
    ['no URL', 'cl_abc'],
    ['nothing', ''],
    ['http', 'http://client.example/c'],
    ['another scheme', 'ftp://client.example/c'],
    ['no slashes', 'https:client.example/c'],
    ['no host', 'https:///c'],
    ['no path', 'https://client.example'],
    ['the root, which is somebody’s home page', 'https://client.example/'],
    ['a dot segment', 'https://client.example/./c'],
    ['two dots', 'https://client.example/a/../c'],
    ['two dots at the end', 'https://client.example/a/..'],
    ['dots in disguise', 'https://client.example/a/%2e%2E/c'],
    ['a backslash', 'https://client.example\\c'],
    ['a fragment', 'https://client.example/c#f'],
    ['an empty fragment', 'https://client.example/c#'],
    ['a query', 'https://client.example/c?a=b'],
    ['an empty query', 'https://client.example/c?'],
    ['a user', 'https://ada@client.example/c'],
    ['a user and password', 'https://ada:secret@client.example/c'],
    ['an empty user', 'https://@client.example/c'],
    ['a port', 'https://client.example:8443/c'],
    ['the default port', 'https://client.example:443/c'],
    ['capitals', 'HTTPS://Client.example/c'],
    ['Unicode', 'https://bücher.example/c'],
    ['a space', ' https://client.example/c'],
    ['a tab', 'https://client.example/\tc'],
    ['an address in disguise', 'https://0x7f000001/c'],
    ['too long', `https://client.example/${'x'.repeat(512)}`],
  ])('not with %s', (_, url) => {
    expect(isClientIdUrl(url)).toBe(false)
  })
})

describe('a document describes a client (S-43, CIMD §4)', () => {
  test('name and redirect URIs, and nothing else of what it holds', async () => {
    internet.respond(serving({ ...DOCUMENT, application_type: 'native', logo_uri: 'https://10.0.0.1/logo.png' }))
    expect(await find()).toEqual({ name: 'Claude Code', redirectUris: DOCUMENT.redirect_uris })
    expect(reasons).toEqual([])
  })

  test.each([
    ['application/json; charset=utf-8'],
    ['Application/JSON'],
    ['application/oauth-client+json'],
    ['application/cimd+json;profile=x'],
  ])('served as %s', async (type) => {
    internet.respond(serving(DOCUMENT, { 'content-type': type }))
    expect(await find()).not.toBeNull()
  })

  test('without a name it is called by its host; a name is cleaned for display (S-32, RFC 7591 §5)', async () => {
    const { client_name: _, ...nameless } = DOCUMENT
    internet.respond(serving(nameless))
    expect(await find()).toMatchObject({ name: 'client.example' })
    const other = 'https://client.example/other'
    internet.respond(serving({ ...DOCUMENT, client_id: other, client_name: `\u202Eedoc\u0000 ${'x'.repeat(500)}` }))
    const name = (await find(other))?.name ?? ''
    expect(name).toMatch(/^edoc x+$/)
    expect(name).toHaveLength(60)
  })

  test('redirect URIs that a client could not register are dropped; the others stay, each once', async () => {
    const redirect_uris = [
      'http://evil.example/cb',
      'https://client.example/cb',
      'javascript:alert(1)',
      'https://client.example/cb',
      'cursor://anysphere.cursor-mcp/oauth/callback',
      'https://client.example/cb#f',
    ]
    internet.respond(serving({ ...DOCUMENT, redirect_uris }))
    expect((await find())?.redirectUris).toEqual([redirect_uris[1], redirect_uris[4]])
  })

  test('public keys are fine', async () => {
    const jwks = { keys: [{ kty: 'EC', crv: 'P-256', x: 'x', y: 'y' }] }
    internet.respond(serving({ ...DOCUMENT, jwks }))
    expect(await find()).not.toBeNull()
  })

  const { token_endpoint_auth_method: _, ...undecided } = DOCUMENT
  test('no method of authentication said is none', async () => {
    internet.respond(serving(undecided))
    expect(await find()).not.toBeNull()
  })

  test('a body of exactly 5 KB is read (CIMD §8.7)', async () => {
    internet.respond(serving(JSON.stringify(DOCUMENT).padEnd(5_120)))
    expect(await find()).not.toBeNull()
  })
})

describe('a document that breaks a rule is none (S-43, CIMD §4.1)', () => {
  const private_key = { keys: [{ kty: 'EC', crv: 'P-256', x: 'x', y: 'y', d: 'secret' }] }
  test.each<[string, RequestListener, RegExp]>([
    ['201', serving(DOCUMENT, {}, 201), /status 201/],
    ['204', serving('', {}, 204), /status 204/],
    ['301', serving(DOCUMENT, { location: URL_ID }, 301), /status 301/],
    ['307', serving(DOCUMENT, { location: 'https://other.example/c' }, 307), /status 307/],
    ['304', serving('', {}, 304), /status 304/],
    ['404', serving(DOCUMENT, {}, 404), /status 404/],
    ['500', serving(DOCUMENT, {}, 500), /status 500/],
    ['a page', serving(DOCUMENT, { 'content-type': 'text/html' }), /not served as JSON/],
    ['text', serving(DOCUMENT, { 'content-type': 'text/plain' }), /not served as JSON/],
    ['JSON of another kind', serving(DOCUMENT, { 'content-type': 'application/jsonp' }), /not served as JSON/],
    ['no type', (_request, response) => void response.end(JSON.stringify(DOCUMENT)), /not served as JSON/],
    ['no JSON', serving('<html>'), /not JSON/],
    ['half a document', serving(JSON.stringify(DOCUMENT).slice(0, -1)), /not JSON/],
    ['nothing', serving(''), /not JSON/],
    ['invalid UTF-8', serving(Buffer.from([0x22, 0xff, 0x22])), /not JSON/],
    ['compressed', serving(Buffer.from([0x1f, 0x8b, 8, 0]), { 'content-encoding': 'gzip' }), /not JSON/],
    ['null', serving('null'), /expected object/],
    ['a list', serving([DOCUMENT]), /expected object/],
    ['5 KB and a byte', serving(JSON.stringify(DOCUMENT).padEnd(5_121)), /longer than 5120/],
    ['a stream without end', endless, /longer than 5120/],
    ['no client_id', serving({ ...DOCUMENT, client_id: undefined }), /client_id/],
    ['another client_id', serving({ ...DOCUMENT, client_id: 'https://client.example/other' }), /not the URL/],
    ['its client_id with a slash', serving({ ...DOCUMENT, client_id: `${URL_ID}/` }), /not the URL/],
    ['its client_id with the port', serving({ ...DOCUMENT, client_id: WITH_PORT }), /not the URL/],
    ['its client_id in capitals', serving({ ...DOCUMENT, client_id: URL_ID.toUpperCase() }), /not the URL/],
    ['a list of client_ids', serving({ ...DOCUMENT, client_id: [URL_ID] }), /client_id/],
    ['no redirect_uris', serving({ ...DOCUMENT, redirect_uris: undefined }), /redirect_uris/],
    ['empty redirect_uris', serving({ ...DOCUMENT, redirect_uris: [] }), /none that we take/],
    ['redirect_uris that are none', serving({ ...DOCUMENT, redirect_uris: ['http://evil.example/'] }), /none that we/],
    ['one redirect URI as text', serving({ ...DOCUMENT, redirect_uris: 'https://client.example/' }), /redirect_uris/],
    ['a client secret', serving({ ...DOCUMENT, client_secret: 'x' }), /client_secret/],
    ['an empty client secret', serving({ ...DOCUMENT, client_secret: '' }), /client_secret/],
    ['the end of a secret', serving({ ...DOCUMENT, client_secret_expires_at: 0 }), /client_secret_expires_at/],
    ['a private key', serving({ ...DOCUMENT, jwks: private_key }), /private key/],
    ['a symmetric key', serving({ ...DOCUMENT, jwks: { keys: [{ kty: 'oct', k: 'x' }] } }), /private key/],
    ...['client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt', 'x', '', null].map(
      (token_endpoint_auth_method): [string, RequestListener, RegExp] => [
        `authentication by ${token_endpoint_auth_method}`,
        serving({ ...DOCUMENT, token_endpoint_auth_method }),
        /token_endpoint_auth_method/,
      ],
    ),
  ])('%s', async (_, listener, reason) => {
    internet.respond(listener)
    expect(await find()).toBeNull()
    expect(reasons).toEqual([expect.stringMatching(reason)])
  })

  test('a certificate for another name, a name that leads inside', async () => {
    internet.names.set('inside.example', [['10.0.0.1']])
    expect(await find('https://uncertified.example/c')).toBeNull()
    expect(await find('https://inside.example/c')).toBeNull()
    expect(reasons).toEqual([expect.stringMatching(/altnames/), expect.stringMatching(/not on the internet/)])
    expect(internet.canaryConnections()).toBe(0)
  })
})

/** Goes on for as long as somebody reads. */
function endless(_request: unknown, response: Parameters<RequestListener>[1]): void {
  response.writeHead(200, { 'content-type': 'application/json' })
  const more = () => {
    while (response.write(' '.repeat(1_024)));
  }
  response.on('drain', more)
  more()
}

describe('a document is kept as long as its headers say, between a minute and an hour (CIMD §5.2, RFC 9111)', () => {
  const date = 'Sat, 21 Nov 2026 12:00:00 GMT'
  const later = 'Sat, 21 Nov 2026 12:10:00 GMT'
  test.each<[IncomingHttpHeaders, number]>([
    [{}, 60],
    [{ 'cache-control': 'max-age=600' }, 600],
    [{ 'cache-control': 'public, max-age=600, must-revalidate' }, 600],
    [{ 'cache-control': 'public,MAX-AGE="600"' }, 600],
    [{ 'cache-control': 'max-age=600', age: '100' }, 500],
    [{ 'cache-control': 'max-age=600', age: 'x' }, 60],
    [{ 'cache-control': 's-maxage=900, max-age=600' }, 600],
    [{ 'cache-control': 'x-max-age=600' }, 60],
    [{ 'cache-control': 'max-age=0' }, 60],
    [{ 'cache-control': 'max-age=10' }, 60],
    [{ 'cache-control': 'max-age=86400' }, 3_600],
    [{ 'cache-control': `max-age=${'9'.repeat(400)}` }, 3_600],
    [{ 'cache-control': 'max-age=-1' }, 60],
    [{ 'cache-control': 'no-store' }, 60],
    [{ 'cache-control': 'max-age=600, no-store' }, 60],
    [{ 'cache-control': 'No-Cache, max-age=600' }, 60],
    [{ date, expires: later }, 600],
    [{ date, expires: later, age: '60' }, 540],
    [{ date, expires: later, 'cache-control': 'max-age=300' }, 300],
    [{ date: later, expires: date }, 60],
    [{ date, expires: '0' }, 60],
    [{ expires: later }, 60],
  ])('%j: %i s', (headers, seconds) => {
    expect(documentTtlSeconds(headers)).toBe(seconds)
  })
})
