import type { Principal } from './principal.ts'
import type { Reader } from './stream.ts'

/** What there is to read in every workspace, by a URI template (RFC 6570). */
export interface ResourceTemplate {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly uriTemplate: string
}

/** One of them, in one workspace. */
export interface ListedResource {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly uri: string
}

/**
 * What MCP clients read by URI. Each resource is an operation of REST under another address: the same handler, with the same
 * checks of membership, role, and token.
 */
export interface Resources {
  readonly templates: readonly ResourceTemplate[]
  /** @throws AppError FORBIDDEN_SCOPE; INVALID_INPUT for a cursor that is none */
  list(
    principal: Principal,
    cursor: string | undefined,
  ): Promise<{ readonly resources: readonly ListedResource[]; readonly nextCursor?: string }>
  /** @throws AppError NOT_FOUND also for what others may read; FORBIDDEN_SCOPE, INVALID_INPUT */
  read(principal: Principal, uri: string): Promise<object>
  /** Those of the URIs that the caller may read, and when they change. `stillThere` throws once the caller is nobody. */
  watch(principal: Principal, uris: readonly string[], stillThere: () => Promise<void>): Promise<WatchedResources>
}

export interface WatchedResources extends Reader {
  readonly uris: readonly string[]
  /** The URIs whose content changed since the last ones, each once: nothing piles up for who does not ask. */
  updates(signal: AbortSignal): AsyncIterable<readonly string[]>
}
