import { z } from 'zod'
import { databaseNow } from '../db/clock.ts'
import { AppError } from '../kernel/errors.ts'
import { LIMITS } from '../kernel/limits.ts'
import { SCOPES } from '../kernel/principal.ts'
import { record } from '../modules/audit/store.ts'
import { moment, whole } from '../modules/fields.ts'
import { personalOperation, type OfficeOperation } from '../modules/office.ts'
import type { AuthContext } from './context.ts'
import {
  endConnection,
  endEverything,
  holdEverything,
  listConnections,
  tellEnded,
  type Everything,
} from './own-connections.ts'

const tag = 'Connections'

const connectionView = z.object({
  id: z.string(),
  clientName: z.string().describe('What the client calls itself'),
  publishedAt: z.string().nullable().describe('The site that describes the client; null: it registered itself'),
  scopes: z.array(z.enum(SCOPES)),
  createdAt: moment,
  expiresAt: moment,
  lastUsedAt: moment.nullable(),
  agents: whole.describe('Live agents that came with it'),
})

/**
 * /api/connections: what acts in a person's name, and how they end it. For the person in a browser alone. A token rests on
 * a consent to work in workspaces, and that says nothing of the person's other clients: whoever stole one could learn
 * what else they use, and lock them out of all of it. Its own grant a client ends by RFC 7009.
 */
export function connectionOperations(context: () => AuthContext): OfficeOperation[] {
  return [listOwnConnections(context), endOwnConnection(context), endAll(context)]
}

const listOwnConnections = (context: () => AuthContext): OfficeOperation =>
  personalOperation({
    name: 'listConnections',
    tag,
    title: 'List my connections',
    description:
      'The clients that act in the person’s name, one for each sign-in, the newest first, and how many other browsers ' +
      'they are signed in with. Tokens are under `/api/tokens`.',
    method: 'GET',
    path: '/api/connections',
    access: 'read',
    callers: 'browser',
    params: z.object({}),
    query: z.object({
      cursor: z
        .string()
        .regex(/^gr_[a-z2-7]{26}$/u, 'must be the nextCursor of an earlier answer')
        .optional(),
    }),
    output: z.object({
      connections: z.array(connectionView),
      otherBrowsers: whole,
      nextCursor: z.string().optional(),
    }),
    async handle({ caller }, { query: { cursor } }) {
      const { userId } = caller
      const listed = await listConnections(context(), userId, { limit: LIMITS.itemsPerPage, before: cursor })
      const connections = listed.connections.map(viewOfConnection)
      const otherBrowsers = await context().sessions.countOthers({ userId, sessionHash: sessionOf(caller) })
      const next = listed.more ? { nextCursor: connections.at(-1)?.id ?? '' } : {}
      return { body: { connections, otherBrowsers, ...next } }
    },
  })

const endOwnConnection = (context: () => AuthContext): OfficeOperation =>
  personalOperation({
    name: 'endConnection',
    tag,
    title: 'End a connection',
    description:
      'Its tokens open nothing any more, on any replica within a second; agents that came with it end, and what they had ' +
      'claimed is free.',
    method: 'DELETE',
    path: '/api/connections/:connectionId',
    access: 'write',
    callers: 'browser',
    sensitive: true,
    params: z.object({ connectionId: z.string().min(1).max(64) }),
    output: z.object({ ended: z.object({ id: z.string(), clientName: z.string() }) }),
    async handle({ caller }, { params: { connectionId } }) {
      const clientName = await endConnection(context(), caller.userId, connectionId)
      if (clientName === null) throw new AppError('NOT_FOUND')
      return { body: { ended: { id: connectionId, clientName } } }
    },
  })

const endAll = (context: () => AuthContext): OfficeOperation =>
  personalOperation({
    name: 'endEverything',
    tag,
    title: 'End everything that acts in my name',
    description:
      'Every connection, token and signed-in browser of the person, and every agent that came with them; this browser too, ' +
      'unless it is to be kept. Previewed and confirmed: whatever is connected, joins or signs in between spoils the token.',
    method: 'DELETE',
    path: '/api/connections',
    access: 'write',
    callers: 'browser',
    confirmed: true,
    sensitive: true,
    examples: [
      {
        title: 'All but this browser, once seen what that ends',
        query: { keepThisBrowser: 'true' },
        previewed: true,
      },
    ],
    params: z.object({}),
    query: z.object({ keepThisBrowser: z.enum(['true', 'false']).default('false') }),
    output: z.object({
      ended: z.object({ connections: whole, tokens: whole, browsers: whole, agents: whole, openConsents: whole }),
    }),
    async handle({ caller, database, keep, unconfirmed }, { query }) {
      const { userId } = caller
      const kept = query.keepThisBrowser === 'true' ? sessionOf(caller) : null
      const { held, answer } = await database.write({ user: userId }, async (tx) => {
        const now = await databaseNow(tx)
        const all = await holdEverything(context(), tx, userId, now)
        const ending = { ...all, browsers: all.browsers.filter((browser) => browser !== kept) }
        const preview = await unconfirmed({ effects: effectsOf(ending, sessionOf(caller)), about: namesOf(all), now })
        if (preview !== null) return { held: null, answer: preview }
        const entries = await endEverything(tx, ending, { userId, address: null, now })
        const done = { body: { ended: countsOf(ending) } }
        await keep(tx, done, now)
        await record(tx, entries)
        return { held: ending, answer: done }
      })
      if (held !== null) await tellEnded(context(), userId, held)
      return answer
    },
  })

/** What `callers: 'browser'` lets in has one. */
function sessionOf({ browserSession }: { browserSession: string | null }): string {
  if (browserSession === null) throw new AppError('FORBIDDEN_TOKEN')
  return browserSession
}

/** Everything by its id alone: names and times may change, and still be the same. */
function namesOf({ connections, tokens, agents, consents, browsers }: Everything) {
  const ids = [...connections, ...tokens].map(({ id }) => id)
  return [ids, agents.map(({ sessionId }) => sessionId), [...consents], [...browsers]]
}

function countsOf({ connections, tokens, browsers, agents, consents }: Everything) {
  const counts = { connections: connections.length, tokens: tokens.length, browsers: browsers.length }
  return { ...counts, agents: agents.length, openConsents: consents.length }
}

/** How many of each, and which: the first of them. */
function effectsOf(ending: Everything, thisBrowser: string) {
  const { connections, tokens, agents, browsers } = ending
  return {
    ends: countsOf(ending),
    thisBrowserToo: browsers.includes(thisBrowser),
    connections: connections.slice(0, LIMITS.listShown),
    tokens: tokens.slice(0, LIMITS.listShown),
    agents: agents.slice(0, LIMITS.listShown).map(({ agentId, workspaceId }) => ({ agentId, workspaceId })),
  }
}

type Listed = Awaited<ReturnType<typeof listConnections>>['connections'][number]

function viewOfConnection(connection: Listed) {
  const { grantId, clientName, verified, scopes, createdAt, expiresAt, lastUsedAt, agents } = connection
  return {
    id: grantId,
    clientName,
    publishedAt: verified.kind === 'metadata-document' ? verified.host : null,
    scopes: [...scopes],
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
    lastUsedAt: lastUsedAt?.toISOString() ?? null,
    agents,
  }
}
