import { singleOrList } from '../kernel/input.ts'
import { LIMITS } from '../kernel/limits.ts'
import type { WorkspaceResource } from './module.ts'

/** A URI of ours, taken apart. */
export interface Named {
  readonly uri: string
  readonly workspaceId: string
  readonly resource: WorkspaceResource
  /** Parameters as REST has them: what is there once is text, the others lists. */
  readonly query: Record<string, unknown>
}

/** The URI is the path of the operation below /api, and its query the operation's query. */
export function uriOf(workspaceId: string, { name }: WorkspaceResource): string {
  return `orkestrate://workspaces/${workspaceId}/${name}`
}

/** RFC 6570, section 3.2.8. */
export function templateOf(resource: WorkspaceResource): string {
  return `${uriOf('{workspaceId}', resource)}{?${Object.keys(resource.operation.query.shape).join(',')}}`
}

/** Null for what is no URI of ours, whether there is such a workspace or not. */
export function parseUri(offered: readonly WorkspaceResource[], uri: string): Named | null {
  if (uri.length > LIMITS.uriChars) return null
  const parts = /^orkestrate:\/\/workspaces\/(?<id>\w{1,64})\/(?<name>[a-z]+)(?:\?(?<query>[^#]*))?$/u.exec(uri)
  const { id = '', name, query } = parts?.groups ?? {}
  const resource = offered.find((one) => one.name === name)
  return resource === undefined ? null : { uri, workspaceId: id, resource, query: queryOf(new URLSearchParams(query)) }
}

function queryOf(query: URLSearchParams): Record<string, unknown> {
  return singleOrList(Object.fromEntries([...new Set(query.keys())].map((name) => [name, query.getAll(name)])))
}
