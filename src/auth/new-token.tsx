import { type Context, Hono } from 'hono'
import { parse, serialize } from 'hono/utils/cookie'
import { z } from 'zod'
import { databaseNow } from '../db/clock.ts'
import { AppError } from '../kernel/errors.ts'
import { newId } from '../kernel/ids.ts'
import { LIMITS } from '../kernel/limits.ts'
import { SCOPES } from '../kernel/principal.ts'
import { Name } from '../web/pages/client.tsx'
import { MadeTokenPage, NewTokenPage, type TokenChoices, TokenShownPage } from '../web/pages/new-token.tsx'
import { renderPage } from '../web/render.ts'
import type { BrowserSession } from './browser-session.ts'
import type { AuthContext } from './context.ts'
import { equalSecrets, sha256 } from './crypto.ts'
import type { Parameters } from './form.ts'
import { person } from '../modules/audit/entry.ts'
import { AUTH_LIMITS } from './limits.ts'
import {
  livePersonalTokens,
  makePersonalToken,
  newPersonalToken,
  type PersonalToken,
  personalTokenById,
} from './personal-tokens.ts'
import { signedIn } from './signed-in.ts'
import { tokenName } from './token-operations.ts'

const PATH = '/account/tokens/new'
const SHOWN_PATH = '/account/tokens/made'

const DAYS = [7, 30, AUTH_LIMITS.tokenDays, 180, 365].map(String)
const EXPIRIES = [...DAYS, 'never']

/** The least that is of use. */
const UNCHOSEN: TokenChoices = { name: '', scopes: 'read', workspaceId: '', expires: String(AUTH_LIMITS.tokenDays) }

/**
 * The token that a form will have made, for the session that it was shown to. So a form is good for one token: sent again
 * it finds that one, because a browser drops the answer to a first click that a second one overtakes.
 */
const SealedToken = z.object({ id: z.string(), secret: z.string(), sessionHash: z.string() })
type SealedToken = z.output<typeof SealedToken>

interface Complaint {
  readonly chosen: TokenChoices
  readonly error: string
}

/**
 * /account/tokens/new and the page that follows it. The form's answer is a redirect with the sealed token in a cookie, and
 * the page takes that away as it shows the token: a reload makes nothing and shows nothing.
 */
export function newTokenRoutes(context: AuthContext): Hono {
  const { onPage, onForm } = signedIn(context, PATH)
  const cookie = shownCookie(context.config.publicUrl)
  const routes = new Hono()
  routes.get(
    PATH,
    onPage((c, session) => show(context, c, session)),
  )
  routes.post(
    PATH,
    onForm(async (c, session, form) => {
      const chosen = choicesIn(form)
      const sealed = form.get('token') ?? ''
      const opened = await openSealed(context, session, sealed)
      if (opened === null) {
        return show(context, c, session, {
          chosen,
          error: 'The page was open for too long. Nothing was made; send it again.',
        })
      }
      const outcome = await make(context, session, opened, chosen)
      if ('error' in outcome) return show(context, c, session, outcome)
      if (outcome.shown) return renderPage(c, <TokenShownPage />)
      c.header('Set-Cookie', cookie.set(sealed))
      return c.redirect(SHOWN_PATH, 303)
    }),
  )
  routes.get(
    SHOWN_PATH,
    onPage(async (c, session) => {
      c.header('Set-Cookie', cookie.removed)
      const opened = await openSealed(context, session, cookie.of(c.req.raw) ?? '')
      const token = opened === null ? null : await tokenOf(context, session, opened)
      if (opened === null || token === null) return renderPage(c, <TokenShownPage />)
      const opens = await opensOf(context, session, token)
      const { name, scopes, expiresAt } = token
      const { publicUrl } = context.config
      return renderPage(c, <MadeTokenPage {...{ publicUrl, name, scopes, opens, expiresAt }} secret={opened.secret} />)
    }),
  )
  return routes
}

async function show(
  context: AuthContext,
  c: Context,
  session: BrowserSession,
  complaint?: Complaint,
): Promise<Response> {
  const { userId, sessionHash, csrfToken } = session
  const tokens = await context.database.query(async (orm) => livePersonalTokens(orm, userId, await databaseNow(orm)))
  const claims: SealedToken = { id: newId('pat'), secret: newPersonalToken(context.config), sessionHash }
  const page = (
    <NewTokenPage
      csrfToken={csrfToken}
      sealed={await context.tokenForms.seal(claims, AUTH_LIMITS.tokenFormTtlSeconds)}
      chosen={complaint?.chosen ?? UNCHOSEN}
      expiries={EXPIRIES}
      rooms={await context.people.list(userId)}
      held={tokens.length}
      max={LIMITS.tokensPerUser}
      nameChars={AUTH_LIMITS.tokenNameChars}
      error={complaint?.error}
    />
  )
  return renderPage(c, page, complaint === undefined ? 200 : 400)
}

/** What was sent, as far as the page's own fields can have sent it. */
function choicesIn(form: Parameters): TokenChoices {
  return {
    name: form.get('name') ?? '',
    scopes: form.get('scopes') === 'write' ? 'write' : 'read',
    workspaceId: form.get('workspace') ?? '',
    expires: form.get('expires') ?? '',
  }
}

/** Null for what another session was shown, or an hour ago. */
async function openSealed(context: AuthContext, session: BrowserSession, sealed: string): Promise<SealedToken | null> {
  const opened = SealedToken.safeParse(await context.tokenForms.open(sealed))
  return opened.success && equalSecrets(opened.data.sessionHash, session.sessionHash) ? opened.data : null
}

/** @returns whether the token was made so long ago that it has been shown; or why it was not made. */
async function make(
  context: AuthContext,
  { userId }: BrowserSession,
  { id, secret }: SealedToken,
  chosen: TokenChoices,
): Promise<{ shown: boolean } | Complaint> {
  const name = tokenName.safeParse(chosen.name)
  if (!name.success) {
    return { chosen, error: `Give the token a name of 1 to ${AUTH_LIMITS.tokenNameChars} characters.` }
  }
  if (!EXPIRIES.includes(chosen.expires)) return { chosen, error: 'Choose how long the token lasts.' }
  const limited = await context.limitedWork(userId)
  if (limited !== null)
    return { chosen, error: 'You did very much at once. Nothing was made; send it again in a minute.' }
  try {
    const { token, now } = await makePersonalToken(context.database, {
      id,
      secret,
      userId,
      name: name.data,
      scopes: chosen.scopes === 'write' ? SCOPES : ['mcp:read'],
      workspaceId: chosen.workspaceId === '' ? null : chosen.workspaceId,
      expiresInDays: chosen.expires === 'never' ? null : Number(chosen.expires),
      actor: person(userId),
    })
    return { shown: now.getTime() - token.createdAt.getTime() > AUTH_LIMITS.tokenShownSeconds * 1_000 }
  } catch (thrown) {
    const error = thrown instanceof AppError ? refusalOf(thrown) : undefined
    if (error === undefined) throw thrown
    return { chosen, error }
  }
}

function refusalOf({ code }: AppError): string | undefined {
  if (code === 'WORKSPACE_NOT_FOUND') return 'You are not in that workspace any more. Choose another.'
  return code === 'WORKSPACE_LIMIT'
    ? `You have ${LIMITS.tokensPerUser} tokens, and there can be no more. Revoke one on your Connections page first.`
    : undefined
}

/** The token that the form has made, as long as it opens something. */
async function tokenOf(
  { database }: AuthContext,
  { userId }: BrowserSession,
  { id, secret }: SealedToken,
): Promise<PersonalToken | null> {
  const token = await database.query((orm) => personalTokenById(orm, userId, id))
  if (token === null || token.revokedAt !== null) return null
  return equalSecrets(token.tokenHash, sha256(secret)) ? token : null
}

async function opensOf({ people }: AuthContext, { userId }: BrowserSession, { onlyWorkspaceId }: PersonalToken) {
  if (onlyWorkspaceId === null) return 'all your workspaces'
  const room = (await people.list(userId)).find(({ workspaceId }) => workspaceId === onlyWorkspaceId)
  return room === undefined ? <code>{onlyWorkspaceId}</code> : <Name>{room.workspaceName}</Name>
}

/** Carries the sealed token from the form's answer to the page that shows it. */
function shownCookie(publicUrl: string) {
  const secure = publicUrl.startsWith('https:')
  const name = secure ? '__Host-ork_made' : 'ork_made'
  const cookie = (value: string, maxAge: number) =>
    serialize(name, value, { path: '/', httpOnly: true, secure, sameSite: 'Strict', maxAge })
  return {
    set: (sealed: string) => cookie(sealed, AUTH_LIMITS.tokenShownSeconds),
    removed: cookie('', 0),
    of: (request: Request) => parse(request.headers.get('cookie') ?? '', name)[name],
  }
}
