import type { Database } from '../db/client.ts'
import { createBell } from '../journal/bell.ts'
import type { JournalEvent } from '../journal/event.ts'
import type { Watches } from '../journal/watch.ts'
import { AppError } from '../kernel/errors.ts'
import { invalidInput, parseInput } from '../kernel/input.ts'
import { LIMITS, type Pace } from '../kernel/limits.ts'
import { NO_CONDITIONS, tokenCaller } from '../kernel/operation.ts'
import type { Principal } from '../kernel/principal.ts'
import type { ListedResource, Resources, WatchedResources } from '../kernel/resource.ts'
import type { WorkspaceResource } from './module.ts'
import type { Office } from './office.ts'
import { parseUri, templateOf, uriOf, type Named } from './resource-uri.ts'
import { mayUnseat } from './tenancy/readers.ts'
import type { Membership } from './tenancy/repository.ts'
import { may } from './tenancy/roles.ts'
import { membershipsOf } from './tenancy/store.ts'

export interface ResourcesDeps {
  readonly database: Database
  readonly office: Office
  readonly watches: Watches
  readonly offered: readonly WorkspaceResource[]
  readonly pace: Pick<Pace, 'updateMs'>
}

/** What MCP clients read by URI: `orkestrate://workspaces/<id>/<name>` is the operation of that path below /api. */
export function createResources(deps: ResourcesDeps): Resources {
  const { database, office, offered } = deps

  /** The workspaces that the caller may read, the oldest first. */
  async function readable({ userId, scopes, workspaceId: only }: Principal): Promise<Membership[]> {
    if (!scopes.includes('mcp:read')) return []
    const all = await database.read({ user: userId }, (orm) => membershipsOf(orm, userId))
    return all.filter(({ workspaceId, role }) => (only === null || only === workspaceId) && may(role, 'workspace.read'))
  }

  return {
    templates: offered.map((resource) => {
      const { name, title, description } = resource
      return { name, title, description, uriTemplate: templateOf(resource) }
    }),

    async list(principal, cursor) {
      requireRead(principal)
      const { page, next } = pageAfter(await readable(principal), cursor)
      const resources = page.flatMap((workspace) => offered.map((resource) => listed(workspace, resource)))
      return next === null ? { resources } : { resources, nextCursor: next }
    },

    async read(principal, uri) {
      requireRead(principal)
      const named = parseUri(offered, uri)
      if (named === null) throw new AppError('NOT_FOUND')
      const { operation } = named.resource
      const input = {
        params: parseInput(operation.params, { workspaceId: named.workspaceId }),
        query: parseInput(operation.query, named.query),
        body: {},
      }
      const caller = tokenCaller(principal)
      const call = { caller, conditions: NO_CONDITIONS, input, pageBytes: LIMITS.resourcePageBytes }
      return (await operation.run(office, call)).body
    },

    async watch(principal, uris, stillThere) {
      const readableIds = async () => new Set((await readable(principal)).map(({ workspaceId }) => workspaceId))
      const ids = await readableIds()
      const named = [...new Set(uris)].slice(0, LIMITS.urisPerStream).flatMap((uri) => {
        const one = parseUri(offered, uri)
        return one !== null && ids.has(one.workspaceId) ? [one] : []
      })
      const checks = {
        checkCaller: stillThere,
        async check() {
          await stillThere()
          const still = await readableIds()
          if (named.some(({ workspaceId }) => !still.has(workspaceId))) throw new AppError('WORKSPACE_NOT_FOUND')
        },
      }
      return watched(deps, principal.userId, named, checks)
    },
  }
}

function listed({ workspaceId, workspaceName }: Membership, resource: WorkspaceResource): ListedResource {
  const { name, title, description } = resource
  return {
    name: `${workspaceId}/${name}`,
    title: `${title} of ${workspaceName}`,
    description,
    uri: uriOf(workspaceId, resource),
  }
}

/** The workspaces after the one that the cursor names. @throws AppError INVALID_INPUT */
function pageAfter(all: readonly Membership[], cursor: string | undefined) {
  const before = cursor === undefined ? -1 : all.findIndex(({ workspaceId }) => workspaceId === cursor)
  if (cursor !== undefined && before < 0) {
    throw invalidInput([{ path: 'cursor', message: 'must be the nextCursor of an earlier answer' }])
  }
  const rest = all.slice(before + 1)
  const page = rest.slice(0, LIMITS.workspacesPerResourcePage)
  return { page, next: page.length < rest.length ? (page.at(-1)?.workspaceId ?? null) : null }
}

/** One reader of several resources. What changed is a set of its own URIs, whatever happens and however slowly it reads. */
function watched(
  { watches, pace }: ResourcesDeps,
  userId: string,
  named: readonly Named[],
  checks: Pick<WatchedResources, 'check' | 'checkCaller'>,
): WatchedResources {
  const changed = new Set<string>()
  const bell = createBell()

  return {
    userId,
    uris: named.map(({ uri }) => uri),
    ...checks,

    async watch(recheck, signal) {
      const workspaceIds = new Set(named.map(({ workspaceId }) => workspaceId))
      await Promise.all(
        [...workspaceIds].map((workspaceId) => {
          const here = named.filter((one) => one.workspaceId === workspaceId)
          const watcher = (events: readonly JournalEvent[]) => {
            if (mayUnseat(events, userId)) recheck()
            for (const { uri, resource } of here) if (isChanged(resource, events)) changed.add(uri)
            if (changed.size > 0) bell.ring()
          }
          return watches.watch(workspaceId, watcher, signal)
        }),
      )
    },

    async *updates(signal) {
      const over = createBell()
      signal.addEventListener('abort', () => {
        over.ring()
        bell.ring()
      })
      while (!signal.aborted) {
        await bell.rung()
        const uris = [...changed]
        changed.clear()
        if (signal.aborted || uris.length === 0) continue
        yield uris
        await over.rung(pace.updateMs * uris.length)
      }
    },
  }
}

function isChanged({ changesWith }: WorkspaceResource, events: readonly JournalEvent[]): boolean {
  return changesWith === 'journal' ? events.length > 0 : events.some(({ teamState }) => teamState)
}

/** @throws AppError FORBIDDEN_SCOPE */
function requireRead({ scopes }: Principal): void {
  if (!scopes.includes('mcp:read')) {
    throw new AppError('FORBIDDEN_SCOPE', undefined, { details: { requiredScope: 'mcp:read' } })
  }
}
