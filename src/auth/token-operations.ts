import { z } from 'zod'
import { databaseNow } from '../db/clock.ts'
import { AppError } from '../kernel/errors.ts'
import { newId } from '../kernel/ids.ts'
import { SCOPES } from '../kernel/principal.ts'
import { callerActor } from '../modules/audit/entry.ts'
import { personalOperation, requireUnbound, type OfficeOperation } from '../modules/office.ts'
import type { AuthContext } from './context.ts'
import { displayName } from './display-name.ts'
import { AUTH_LIMITS } from './limits.ts'
import {
  livePersonalTokens,
  makePersonalToken,
  newPersonalToken,
  type PersonalToken,
  revokePersonalToken,
  viewOfToken,
} from './personal-tokens.ts'

const tag = 'Tokens'

const tokenView = z.object({
  id: z.string(),
  name: z.string(),
  prefix: z.string(),
  lastFour: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  workspaceId: z.string().nullable(),
  createdAt: z.string(),
  expiresAt: z.string().nullable(),
  lastUsedAt: z.string().nullable(),
})

/** What a person calls a token of theirs. */
export const tokenName = z
  .string()
  .max(AUTH_LIMITS.tokenNameChars)
  .transform((name) => displayName(name, ''))
  .pipe(z.string().min(1))

/** /api/tokens: personal access tokens, for CI and for agents without a browser. */
export function tokenOperations(context: () => AuthContext): OfficeOperation[] {
  return [listTokens, createToken(context), revokeToken(context)]
}

const listTokens = personalOperation({
  name: 'listTokens',
  tag,
  title: 'List my tokens',
  description:
    'Personal access tokens that still open something, the newest first; never the tokens themselves. Not for a token that opens one workspace only.',
  method: 'GET',
  path: '/api/tokens',
  access: 'read',
  params: z.object({}),
  output: z.object({ tokens: z.array(tokenView) }),
  async handle({ caller, database }) {
    requireUnbound(caller)
    const tokens = await database.query(async (orm) => livePersonalTokens(orm, caller.userId, await databaseNow(orm)))
    return { body: { tokens: tokens.map(viewOfToken) } }
  },
})

const createToken = (context: () => AuthContext): OfficeOperation =>
  personalOperation({
    name: 'createToken',
    tag,
    title: 'Make a token',
    description:
      'For CI and for agents without a browser: it works wherever an OAuth access token does. Shown this once. May be ' +
      'bound to one workspace. A token can not make tokens.',
    method: 'POST',
    path: '/api/tokens',
    access: 'write',
    callers: 'browser',
    sensitive: true,
    statuses: [201],
    examples: [{ title: 'For CI, to read for a month', body: { name: 'CI', scopes: ['mcp:read'], expiresInDays: 30 } }],
    params: z.object({}),
    body: z.object({
      name: tokenName,
      scopes: z
        .array(z.enum(SCOPES))
        .min(1)
        .default([...SCOPES]),
      workspaceId: z.string().min(1).max(64).optional(),
      expiresInDays: z
        .number()
        .int()
        .min(1)
        .max(AUTH_LIMITS.tokenDaysMax)
        .nullable()
        .default(AUTH_LIMITS.tokenDays)
        .describe('null: it does not end by itself'),
    }),
    output: z.object({ token: tokenView.extend({ secret: z.string().describe('Shown this once') }) }),
    async handle({ caller, database, keep }, { body }) {
      const secret = newPersonalToken(context().config)
      const wish = {
        ...body,
        id: newId('pat'),
        secret,
        userId: caller.userId,
        workspaceId: body.workspaceId ?? null,
        actor: callerActor(caller),
      }
      const answerOf = (token: PersonalToken) => ({
        body: { token: { ...viewOfToken(token), secret } },
        createdAt: `/api/tokens/${token.id}`,
      })
      const made = await makePersonalToken(database, wish, (tx, token, now) => keep(tx, answerOf(token), now))
      return answerOf(made.token)
    },
  })

const revokeToken = (context: () => AuthContext): OfficeOperation =>
  personalOperation({
    name: 'revokeToken',
    tag,
    title: 'Revoke a token',
    description:
      'It opens nothing any more, on any replica within a second; agents that came with it end. Not for a token that opens one workspace only.',
    method: 'DELETE',
    path: '/api/tokens/:tokenId',
    access: 'write',
    sensitive: true,
    params: z.object({ tokenId: z.string().min(1).max(64) }),
    output: z.object({ revoked: z.object({ id: z.string(), name: z.string() }) }),
    async handle({ caller, database }, { params: { tokenId } }) {
      requireUnbound(caller)
      const revoked = await revokePersonalToken(database, caller.userId, tokenId, callerActor(caller))
      if (revoked === null) throw new AppError('NOT_FOUND')
      await context().grantRevoked(revoked.id)
      return { body: { revoked: { id: revoked.id, name: revoked.name } } }
    },
  })
