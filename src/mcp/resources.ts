import { ProtocolError, ResourceNotFoundError, type Server } from '@modelcontextprotocol/server'
import { AppError } from '../kernel/errors.ts'
import type { Principal } from '../kernel/principal.ts'
import type { Resources } from '../kernel/resource.ts'

const INVALID_REQUEST = -32600
const INVALID_PARAMS = -32602

const mimeType = 'application/json'

/** Runs the work for whoever called; what it refuses is told as the protocol's errors. */
export type Answering = <T>(work: (principal: Principal) => Promise<T>) => Promise<T>

/** resources/list, resources/templates/list and resources/read, in both protocol generations. */
export function serveResources(server: Server, resources: Resources, answer: Answering): void {
  server.setRequestHandler('resources/templates/list', () => ({
    resourceTemplates: resources.templates.map((template) => ({ ...template, mimeType })),
  }))
  server.setRequestHandler('resources/list', ({ params }) =>
    answer(async (principal) => {
      const { resources: listed, ...page } = await resources.list(principal, params?.cursor)
      return { resources: listed.map((resource) => ({ ...resource, mimeType })), ...page }
    }),
  )
  server.setRequestHandler('resources/read', ({ params: { uri } }) =>
    answer(async (principal) => {
      try {
        const text = JSON.stringify(await resources.read(principal, uri), null, 2)
        return { contents: [{ uri, mimeType, text }] }
      } catch (thrown) {
        // Of others, or of nobody: the same answer, -32602 with the URI (MCP 2026-07-28, resources, "Error Handling").
        if (thrown instanceof AppError && ABSENT.has(thrown.code)) throw new ResourceNotFoundError(uri)
        throw thrown
      }
    }),
  )
}

const ABSENT: ReadonlySet<string> = new Set(['NOT_FOUND', 'WORKSPACE_NOT_FOUND'])

/** A refusal where the protocol has no results that are errors, with our own code and facts as data. */
export function protocolError({ code, message, recovery, details }: AppError): ProtocolError {
  const kind = code === 'INVALID_INPUT' ? INVALID_PARAMS : INVALID_REQUEST
  return new ProtocolError(kind, message, { code, ...details, recovery })
}
