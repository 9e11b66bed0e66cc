/**
 * Two strict OAuth clients that nobody wrote for us, over a real port and knowing only our address: `openid-client`, with
 * what it does by itself, and `oauth4webapi`, which checks each answer of each step.
 */
import { createAdaptorServer, type ServerType } from '@hono/node-server'
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestApp, type TestApp } from '../support/app.ts'
import { type ScriptedBrowser, scriptedBrowser } from '../support/browser.ts'
import { freePort } from '../support/server-process.ts'

const CALLBACK = 'http://127.0.0.1:19876/callback'
const METADATA = { client_name: 'Independent', redirect_uris: [CALLBACK], token_endpoint_auth_method: 'none' }

let t: TestApp
let server: ServerType
let issuer: URL
let mcp: URL
let ada: ScriptedBrowser
beforeAll(async () => {
  const port = await freePort()
  issuer = new URL(`http://127.0.0.1:${port}`)
  mcp = new URL('/api/mcp', issuer)
  t = await createTestApp({ env: { PUBLIC_URL: issuer.origin } })
  server = createAdaptorServer({ fetch: t.app.http.fetch })
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve)
  })
  ada = scriptedBrowser({ person: { email: 'ada@example.org', name: 'Ada', password: 'a long password of Ada' } })
})
afterAll(async () => {
  server.close()
  await t.close()
})

const LIST = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' })
const MCP_HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }

describe('openid-client', () => {
  const register = () =>
    client.dynamicClientRegistration(issuer, METADATA, client.None(), {
      algorithm: 'oauth2',
      execute: [client.allowInsecureRequests],
    })

  /** Where the browser stands after the person's decision, and what the client needs to go on from there. */
  async function authorize(config: client.Configuration, more: Record<string, string> = {}, decision?: 'deny') {
    const [pkceCodeVerifier, expectedState] = [client.randomPKCECodeVerifier(), client.randomState()]
    const url = client.buildAuthorizationUrl(config, {
      redirect_uri: CALLBACK,
      scope: 'mcp:read mcp:write',
      resource: mcp.href,
      state: expectedState,
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
      ...more,
    })
    return { at: new URL(await ada.authorize(url.href, decision)), checks: { pkceCodeVerifier, expectedState } }
  }

  const works = async (config: client.Configuration, accessToken: string) => {
    const headers = new Headers(MCP_HEADERS)
    return client.fetchProtectedResource(config, accessToken, mcp, 'POST', LIST, headers).then(
      (response) => response.ok,
      (thrown: unknown) => {
        if (thrown instanceof client.WWWAuthenticateChallengeError) return false
        throw thrown
      },
    )
  }

  async function login() {
    const config = await register()
    const { at, checks } = await authorize(config)
    const tokens = await client.authorizationCodeGrant(config, at, checks, { resource: mcp.href })
    return { config, at, checks, tokens, refreshToken: tokens.refresh_token ?? '' }
  }

  test('registers, signs a person in, calls, refreshes, revokes (RFC 7591, 7636, 8707, 9207, 7009)', async () => {
    const { config, tokens, refreshToken } = await login()
    expect(tokens).toMatchObject({ token_type: 'bearer', expires_in: 3600, scope: 'mcp:read mcp:write' })
    expect(await works(config, tokens.access_token)).toBe(true)
    const refreshed = await client.refreshTokenGrant(config, refreshToken, { resource: mcp.href })
    expect(refreshed.refresh_token).not.toBe(refreshToken)
    expect(await works(config, refreshed.access_token)).toBe(true)
    await client.tokenRevocation(config, refreshed.refresh_token ?? '')
    expect(await works(config, refreshed.access_token)).toBe(false)
    const dead = client.refreshTokenGrant(config, refreshed.refresh_token ?? '')
    await expect(dead).rejects.toMatchObject({ status: 400, error: 'invalid_grant' })
  })

  test('an answer in another issuer’s name, or in nobody’s, or with another state, is not taken (S-21, RFC 9207 §2.4)', async () => {
    const config = await register()
    expect(config.serverMetadata().issuer).toBe(issuer.origin)
    const { at, checks } = await authorize(config)
    expect(at.searchParams.get('iss')).toBe(issuer.origin)
    const changes: [name: string, value: string | null, code: string][] = [
      ['iss', 'http://127.0.0.1:1', 'OAUTH_INVALID_RESPONSE'],
      ['iss', `${issuer.origin}/`, 'OAUTH_INVALID_RESPONSE'],
      ['iss', null, 'OAUTH_INVALID_RESPONSE'],
      ['state', 'another', 'OAUTH_INVALID_RESPONSE'],
    ]
    for (const [name, value, code] of changes) {
      const forged = new URL(at)
      if (value === null) forged.searchParams.delete(name)
      else forged.searchParams.set(name, value)
      await expect(client.authorizationCodeGrant(config, forged, checks)).rejects.toMatchObject({ code })
    }
    // The client looked before it spent the code.
    expect((await client.authorizationCodeGrant(config, at, checks)).access_token).toMatch(/^ork_at_/)
  })

  test('a replayed code is invalid_grant and ends what it gave (S-23, OAuth 2.1 §7.5.2)', async () => {
    const { config, at, checks, tokens, refreshToken } = await login()
    const replay = client.authorizationCodeGrant(config, at, checks)
    await expect(replay).rejects.toMatchObject({ status: 400, error: 'invalid_grant' })
    expect(await works(config, tokens.access_token)).toBe(false)
    const refresh = client.refreshTokenGrant(config, refreshToken)
    await expect(refresh).rejects.toMatchObject({ status: 400, error: 'invalid_grant' })
  })

  test('errors of the authorization come back as errors that the client can tell apart (S-21, RFC 6749 §4.1.2.1)', async () => {
    const config = await register()
    const cases: [Record<string, string>, string, 'deny'?][] = [
      [{}, 'access_denied', 'deny'],
      [{ resource: 'https://other.example/mcp' }, 'invalid_target'],
      [{ response_type: 'token' }, 'unsupported_response_type'],
      [{ code_challenge_method: 'plain' }, 'invalid_request'],
      [{ response_mode: 'form_post' }, 'invalid_request'],
    ]
    for (const [more, error, decision] of cases) {
      const { at, checks } = await authorize(config, more, decision)
      const code = 'OAUTH_AUTHORIZATION_RESPONSE_ERROR'
      await expect(client.authorizationCodeGrant(config, at, checks)).rejects.toMatchObject({ code, error })
    }
  })

  test('errors of the token endpoint too, and none of them spoils what is good (RFC 6749 §5.2)', async () => {
    const { config, refreshToken } = await login()
    const other = await register()
    const unknown = new client.Configuration(config.serverMetadata(), 'cl_unknown', undefined, client.None())
    client.allowInsecureRequests(unknown)
    const { at, checks } = await authorize(config)
    const wrongVerifier = { ...checks, pkceCodeVerifier: client.randomPKCECodeVerifier() }
    const cases: [() => Promise<unknown>, string, number][] = [
      [() => client.authorizationCodeGrant(config, at, wrongVerifier), 'invalid_grant', 400],
      [
        () => client.authorizationCodeGrant(config, at, checks, { resource: `${issuer.origin}/api` }),
        'invalid_target',
        400,
      ],
      [() => client.authorizationCodeGrant(other, at, checks), 'invalid_grant', 400],
      [() => client.refreshTokenGrant(config, refreshToken, { scope: 'mcp:read admin' }), 'invalid_scope', 400],
      [() => client.refreshTokenGrant(other, refreshToken), 'invalid_grant', 400],
      [() => client.refreshTokenGrant(unknown, refreshToken), 'invalid_client', 401],
      [() => client.clientCredentialsGrant(config), 'unsupported_grant_type', 400],
      [
        () => client.genericGrantRequest(config, 'urn:ietf:params:oauth:grant-type:device_code', {}),
        'unsupported_grant_type',
        400,
      ],
    ]
    for (const [request, error, status] of cases) await expect(request()).rejects.toMatchObject({ error, status })
    expect((await client.authorizationCodeGrant(config, at, checks)).access_token).toMatch(/^ork_at_/)
    expect((await client.refreshTokenGrant(config, refreshToken)).access_token).toMatch(/^ork_at_/)
  })
})

describe('oauth4webapi', () => {
  const insecure = { [oauth.allowInsecureRequests]: true }

  /** As an MCP client finds its way: the 401 names the resource's metadata, and that the authorization server. */
  async function discover() {
    const refused = await fetch(mcp, { method: 'POST', headers: MCP_HEADERS, body: LIST })
    const named = /resource_metadata="([^"]+)"/.exec(refused.headers.get('www-authenticate') ?? '')?.[1]
    const response = await oauth.resourceDiscoveryRequest(mcp, insecure)
    expect(response.url).toBe(named)
    const resource = await oauth.processResourceDiscoveryResponse(mcp, response)
    const [found = 'none:'] = resource.authorization_servers ?? []
    const as = await oauth.processDiscoveryResponse(
      new URL(found),
      await oauth.discoveryRequest(new URL(found), { ...insecure, algorithm: 'oauth2' }),
    )
    return { as, resource }
  }

  async function login() {
    const { as, resource } = await discover()
    const registered = await oauth.processDynamicClientRegistrationResponse(
      await oauth.dynamicClientRegistrationRequest(as, METADATA, insecure),
    )
    const [verifier, state] = [oauth.generateRandomCodeVerifier(), oauth.generateRandomState()]
    const url = new URL(as.authorization_endpoint ?? 'none:')
    url.search = new URLSearchParams({
      response_type: 'code',
      client_id: registered.client_id,
      redirect_uri: CALLBACK,
      scope: (resource.scopes_supported ?? []).join(' '),
      resource: resource.resource,
      state,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    }).toString()
    const at = new URL(await ada.authorize(url.href))
    const answer = oauth.validateAuthResponse(as, registered, at, state)
    const options = { ...insecure, additionalParameters: { resource: resource.resource } }
    const tokens = await oauth.processAuthorizationCodeResponse(
      as,
      registered,
      await oauth.authorizationCodeGrantRequest(as, registered, oauth.None(), answer, CALLBACK, verifier, options),
    )
    return { as, registered, tokens, refreshToken: tokens.refresh_token ?? '' }
  }

  /** RFC 7662 §2.1: an access token of its own is how a public client authenticates to introspection. */
  const withToken =
    (accessToken: string): oauth.ClientAuth =>
    (_as, _client, _body, headers) =>
      headers.set('authorization', `Bearer ${accessToken}`)

  test('finds its way from the 401 alone, and every document and answer is conforming (S-01, S-02, S-03, RFC 9728 §5)', async () => {
    const { as, tokens } = await login()
    expect(as.introspection_endpoint_auth_methods_supported).toEqual(['Bearer'])
    const headers = new Headers(MCP_HEADERS)
    const called = await oauth.protectedResourceRequest(tokens.access_token, 'POST', mcp, headers, LIST, insecure)
    expect(called.status).toBe(200)
  })

  test('asks about its tokens, and about nobody else’s (S-16, RFC 7662 §2.2)', async () => {
    const [mine, others] = [await login(), await login()]
    const about = async (token: string) => {
      const { as, registered, tokens } = mine
      const request = oauth.introspectionRequest(as, registered, withToken(tokens.access_token), token, insecure)
      return oauth.processIntrospectionResponse(as, registered, await request)
    }
    const { client_id } = mine.registered
    const known = { active: true, client_id, iss: issuer.origin, aud: mcp.href, scope: 'mcp:read mcp:write' }
    expect(await about(mine.tokens.access_token)).toMatchObject({ ...known, token_type: 'Bearer' })
    expect(await about(mine.refreshToken)).toMatchObject(known)
    expect(await about(others.tokens.access_token)).toEqual({ active: false })
  })

  test('refreshes and revokes, and reads the challenge when its token is dead (S-15, RFC 6750 §3.1)', async () => {
    const { as, registered, refreshToken } = await login()
    const refreshed = await oauth.processRefreshTokenResponse(
      as,
      registered,
      await oauth.refreshTokenGrantRequest(as, registered, oauth.None(), refreshToken, insecure),
    )
    const revocation = oauth.revocationRequest(as, registered, oauth.None(), refreshed.refresh_token ?? '', insecure)
    await oauth.processRevocationResponse(await revocation)
    const headers = new Headers(MCP_HEADERS)
    const refused = oauth.protectedResourceRequest(refreshed.access_token, 'POST', mcp, headers, LIST, insecure)
    await expect(refused).rejects.toBeInstanceOf(oauth.WWWAuthenticateChallengeError)
    await expect(refused).rejects.toMatchObject({
      status: 401,
      cause: [
        {
          scheme: 'bearer',
          parameters: {
            error: 'invalid_token',
            scope: 'mcp:read mcp:write',
            resource_metadata: `${issuer.origin}/.well-known/oauth-protected-resource/api/mcp`,
          },
        },
      ],
    })
  })
})
