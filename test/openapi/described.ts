import { ALL_OPERATIONS } from '../../scripts/docs/tables.ts'
import { openApiDocument } from '../../src/http/openapi.ts'
import type { Documented } from './prism.ts'

/** The document without a server that publishes it, and its operations as `GET /api/workspaces`. */
export function operationsOf(): { document: Documented; names: string[] } {
  const document = openApiDocument(ALL_OPERATIONS, { publicUrl: 'http://localhost:7300', version: '0' })
  const names = ALL_OPERATIONS.map(({ method, path }) => `${method} ${path.replace(/:(\w+)/gu, '{$1}')}`)
  return { document: document as unknown as Documented, names }
}
