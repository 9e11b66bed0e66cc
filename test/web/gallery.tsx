import { Hono } from 'hono'
import type { HtmlEscapedString } from 'hono/utils/html'
import { ALL_OPERATIONS } from '../../scripts/docs/tables.ts'
import { openApiDocument } from '../../src/http/openapi.ts'
import { ERRORS } from '../../src/kernel/errors.ts'
import { tools } from '../../src/modules/index.ts'
import { PERMISSIONS } from '../../src/modules/tenancy/roles.ts'
import { assetRoutes } from '../../src/web/assets.ts'
import { createDocs } from '../../src/web/docs.tsx'
import { pageHeaders } from '../../src/web/page-headers.ts'
import { AccountLogPage, type LogEntry } from '../../src/web/pages/account-log.tsx'
import { type Connection, ConnectionsPage, EndAllPage, type HeldToken } from '../../src/web/pages/connections.tsx'
import { ConsentPage, type ConsentProps } from '../../src/web/pages/consent.tsx'
import { DonePage } from '../../src/web/pages/done.tsx'
import { Name } from '../../src/web/pages/client.tsx'
import {
  MadeTokenPage,
  type MadeTokenProps,
  NewTokenPage,
  type NewTokenProps,
  TokenShownPage,
} from '../../src/web/pages/new-token.tsx'
import { ProblemPage } from '../../src/web/pages/problem.tsx'
import { SignInPage } from '../../src/web/pages/sign-in.tsx'
import { SignOutPage } from '../../src/web/pages/sign-out.tsx'
import { SignUpPage } from '../../src/web/pages/sign-up.tsx'
import { renderPage } from '../../src/web/render.ts'
import { createStartPage } from '../../src/web/start.tsx'

const ADA = { name: 'Ada Lovelace', email: 'ada@example.org' }
/** As long as a name may be, without a place to break it. */
const LONG = 'W'.repeat(60)
const ARABIC = 'وكيل البرمجة (أليس)'

const consent: ConsentProps = {
  clientName: 'Claude Code',
  verified: { kind: 'self-registered' },
  landing: { kind: 'own-computer', address: '127.0.0.1:51234' },
  scopes: ['mcp:read', 'mcp:write'],
  person: ADA,
  workspaces: [],
  daysMax: 90,
  sealedRequest: 'sealed',
  switchAccountPath: '/logout',
}

const room = (workspaceName: string, role: string, active = false) => ({ workspaceName, role, active })

const connection: Connection = {
  grantId: 'gr_1',
  clientName: 'Claude Code',
  verified: { kind: 'self-registered' },
  landing: { kind: 'own-computer', address: '127.0.0.1:51234' },
  scopes: ['mcp:read', 'mcp:write'],
  createdAt: new Date('2026-11-21T10:00:00Z'),
  lastUsedAt: new Date('2026-11-25T21:58:00Z'),
  expiresAt: new Date('2027-02-19T10:00:00Z'),
  agents: 2,
}

const connections: Connection[] = [
  connection,
  {
    ...connection,
    grantId: 'gr_2',
    clientName: ARABIC,
    verified: { kind: 'metadata-document', host: 'claude.ai' },
    landing: { kind: 'application', address: 'cursor://anysphere.cursor-mcp' },
    scopes: ['mcp:read'],
    lastUsedAt: null,
    agents: 0,
  },
  {
    ...connection,
    grantId: 'gr_3',
    clientName: LONG,
    landing: { kind: 'website', address: `${'very-long-label-'.repeat(3)}.${'sub.'.repeat(30)}example.org:8443` },
    agents: 1,
  },
]

const token: HeldToken = {
  id: 'pat_1',
  name: 'Nightly build',
  prefix: 'ork_live_',
  lastFour: '7x2q',
  scopes: ['mcp:read'],
  onlyWorkspaceId: null,
  workspaceName: null,
  createdAt: new Date('2026-11-20T10:00:00Z'),
  lastUsedAt: null,
  expiresAt: null,
  agents: 0,
}
const tokens = [
  token,
  { ...token, id: 'pat_2', name: LONG, onlyWorkspaceId: 'ws_01234567890123456789012345', agents: 3 },
  { ...token, id: 'pat_3', name: ARABIC, onlyWorkspaceId: 'ws_1', workspaceName: 'W'.repeat(100) },
]

const newToken: NewTokenProps = {
  csrfToken: 'x',
  sealed: 'sealed',
  chosen: { name: '', scopes: 'read', workspaceId: '', expires: '90' },
  expiries: ['7', '30', '90', 'never'],
  rooms: [],
  held: 0,
  max: 100,
  nameChars: 60,
  error: undefined,
}

const madeToken: MadeTokenProps = {
  publicUrl: 'https://ork.example',
  secret: 'ork_live_abcdefghijklmnopqrstuvwxyz2345670abcdef',
  name: 'Nightly build',
  scopes: ['mcp:read', 'mcp:write'],
  opens: 'all your workspaces',
  expiresAt: new Date('2027-02-24T10:00:00Z'),
}

const listed = { tokens: [] as HeldToken[], person: ADA, csrfToken: 'x', more: false, ended: null, otherBrowsers: 0 }

const signIn = { next: '/', isFirst: false, needsCode: false, withPassword: true, canSignUp: false, upstreams: [] }

const upstreams = [
  { id: 'oidc', name: 'login.example.org', problem: undefined },
  { id: 'supabase', name: 'Google', problem: 'Google cannot be reached just now.' },
]

const me = { kind: 'user', userId: 'usr_1' }
const address = '2001:db8:85a3:8d3::/64'
const log = (
  [
    ['access.refused', { code: 'FORBIDDEN_ROLE', operation: 'changeMember', workspaceId: LONG, unrecorded: 12 }],
    ['role.changed', { workspaceId: 'ws_1', userId: 'usr_1', from: 'owner', to: 'admin' }],
    ['grant.revoked', { grantId: 'gr_1', clientId: 'cl_1', because: 'refresh_token_reused' }],
    ['token.created', { tokenId: 'pat_1', name: LONG, scopes: [], workspaceId: null, expiresAt: null }],
    ['consent.granted', { clientId: 'cl_1', clientName: ARABIC, scopes: [], workspaceId: null, address }],
    ['sign_in.failed', { way: 'password', address: '203.0.113.7', unrecorded: 0 }],
    ['session.began', { way: 'https://login.example.org/realms/team', address }],
    ['of.a.newer.version', {}],
    ['log.begun', { userId: 'usr_1' }],
  ] as const
).map(([type, payload], index): LogEntry => ({
  seq: 9 - index,
  type,
  at: new Date(Date.UTC(2026, 10, 25, 22, 9 - index)),
  actor: index === 1 ? { kind: 'token', userId: 'usr_2' } : me,
  payload,
}))

const problem = {
  status: 400,
  title: 'This request cannot be answered',
  happened: 'The client asks to return to an address that it did not register.',
  next: 'Nothing was changed, and nothing was sent to anybody. If it happens again, remove this server from your agent’s settings and add it anew. If you came by a link that somebody gave you, close this window.',
} as const

/** Pages in states that are hard to come by, or with the longest and strangest of what others may put into them. */
const PAGES: Readonly<Record<string, HtmlEscapedString | Promise<HtmlEscapedString>>> = {
  'consent-first': <ConsentPage {...consent} />,
  'consent-verified': (
    <ConsentPage
      {...consent}
      verified={{ kind: 'metadata-document', host: 'claude.ai' }}
      landing={{ kind: 'website', address: 'vscode.dev' }}
      scopes={['mcp:read']}
      workspaces={[
        room('widgets', 'member'),
        room('gadgets', 'viewer'),
        room('ورشة العمل', 'admin'),
        room('infrastructure', 'owner', true),
        room('five', 'owner'),
        room('six', 'owner'),
      ]}
    />
  ),
  'consent-application': (
    <ConsentPage
      {...consent}
      clientName={ARABIC}
      landing={{ kind: 'application', address: 'cursor://anysphere.cursor-mcp' }}
      workspaces={[room('widgets', 'owner', true)]}
    />
  ),
  'consent-long': (
    <ConsentPage
      {...consent}
      clientName={LONG}
      person={{ name: LONG, email: `${'e'.repeat(200)}@example.org` }}
      landing={{ kind: 'website', address: `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.example:65535` }}
      verified={{ kind: 'metadata-document', host: `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.example` }}
      workspaces={[room('W'.repeat(100), 'member', true), room('x', 'viewer')]}
    />
  ),
  'connections-none': <ConnectionsPage {...listed} connections={[]} ended="Claude Code" />,
  'connections-many': <ConnectionsPage {...listed} connections={connections} tokens={tokens} otherBrowsers={2} more />,
  'account-log': <AccountLogPage userId="usr_1" entries={log} more older={false} />,
  'account-log-end': <AccountLogPage userId="usr_1" entries={[]} more={false} older />,
  'end-all': <EndAllPage csrfToken="x" connections={connections} tokens={tokens} more={false} />,
  'new-token': <NewTokenPage {...newToken} />,
  'new-token-again': (
    <NewTokenPage
      {...newToken}
      chosen={{ name: LONG, scopes: 'write', workspaceId: 'ws_2', expires: 'never' }}
      rooms={[
        { workspaceId: 'ws_1', workspaceName: 'ورشة العمل', role: 'admin' },
        { workspaceId: 'ws_2', workspaceName: 'W'.repeat(100), role: 'viewer' },
      ]}
      held={100}
      error="You have 100 tokens, and there can be no more. Revoke one on your Connections page first."
    />
  ),
  'made-token': <MadeTokenPage {...madeToken} />,
  'made-token-long': (
    <MadeTokenPage
      {...madeToken}
      publicUrl={`https://${'a'.repeat(63)}.${'b'.repeat(63)}.example:65535`}
      name={LONG}
      opens={<Name>{'W'.repeat(100)}</Name>}
      expiresAt={null}
    />
  ),
  'token-shown': <TokenShownPage />,
  'done-again': <DonePage answer="http://127.0.0.1:51234/callback?code=x" />,
  done: <DonePage />,
  problem: <ProblemPage problem={problem} requestId="req_01234567890123456789012345" />,
  'sign-in': <SignInPage {...signIn} canSignUp email={LONG} error="The e-mail address or the password is not right." />,
  'sign-in-first': <SignInPage {...signIn} isFirst canSignUp needsCode upstreams={upstreams} />,
  'sign-up': <SignUpPage next="/" needsCode error="The password needs at least 8 characters." />,
  'sign-out': <SignOutPage email={ADA.email} csrfToken="x" next="/" />,
}

const START_PAGES = {
  'start-visitor': null,
  'start-person': { ...ADA, userId: 'usr_1' },
} as const

const rooms = [
  { ...room('widgets', 'owner', true), workspaceId: 'ws_1', repos: [{ canonicalRemote: 'github.com/acme/widgets' }] },
  { ...room(LONG, 'viewer'), workspaceId: 'ws_2', repos: [] },
]

/** Both at their own addresses, with everything that there is to document. */
const DOCS = ['docs', 'docs/errors']

export const GALLERY = [...Object.keys(PAGES), ...Object.keys(START_PAGES), ...DOCS]

/** Serves every page of GALLERY under its name, with the headers that pages have. */
export function gallery(publicUrl: string): Hono {
  const app = new Hono()
  app.route('/', assetRoutes())
  for (const [name, person] of Object.entries(START_PAGES)) {
    const service = { list: async () => rooms }
    app.route(`/${name}`, createStartPage({ config: { publicUrl }, userOf: async () => person, service }))
  }
  const document = openApiDocument(ALL_OPERATIONS, { publicUrl, version: '0' })
  const documented = { operations: ALL_OPERATIONS, tools, errors: ERRORS, permissions: PERMISSIONS }
  app.route('/', createDocs({ ...documented, document, publicUrl }))
  app.use('/:name', pageHeaders(publicUrl))
  app.get('/:name', (c) => renderPage(c, PAGES[c.req.param('name')] ?? <DonePage />))
  return app
}
