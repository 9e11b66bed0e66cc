import { z } from 'zod'
import { curlOf, sampleOfParameter, withSamples, type Example } from '../kernel/example.ts'
import type { Operation } from '../kernel/operation.ts'
import { EXPORT, FORMAT, PREVIEW, PROBLEM, refusalsOf, REFUSALS, successHeaders } from './openapi-parts.ts'

/** An operation as far as it is described. */
export type Described = Omit<Operation, 'run' | 'follow' | 'exported'> & {
  readonly follow?: unknown
  readonly exported?: unknown
}

type Json = Record<string, unknown>

/**
 * The OpenAPI document of the REST interface, made of the operations themselves. Version 3.0.3 and no more than its subset,
 * because not every tool that people use it with reads a newer one.
 */
export function openApiDocument(operations: readonly Described[], about: { publicUrl: string; version: string }): Json {
  const paths: Record<string, Json> = {}
  for (const operation of operations) {
    const path = operation.path.replace(/:(\w+)/gu, '{$1}')
    paths[path] = { ...paths[path], [operation.method.toLowerCase()]: describe(operation, about.publicUrl) }
  }
  return {
    openapi: '3.0.3',
    info: {
      title: 'Orkestrate',
      version: about.version,
      description:
        'Workspaces for coding agents and the people who run them. Agents speak MCP at `/api/mcp`; this is for people and ' +
        'programs. Errors are RFC 9457 problem details with the codes of the tools.',
    },
    servers: [{ url: about.publicUrl }],
    security: [{ bearer: [] }, { browser: [] }],
    tags: [...new Set(operations.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'A personal access token, or an OAuth access token of an agent.',
        },
        browser: {
          type: 'apiKey',
          in: 'cookie',
          name: about.publicUrl.startsWith('https:') ? '__Host-ork_session' : 'ork_session',
          description: 'The session of a signed-in browser, from our own pages only.',
        },
      },
      schemas: { Problem: PROBLEM, Preview: PREVIEW },
      responses: REFUSALS,
    },
  }
}

function describe(operation: Described, publicUrl: string): Json {
  const { name, tag, title, description, callers, body, examples } = operation
  return {
    operationId: name,
    tags: [tag],
    summary: title,
    description: [description, ...notes(operation)].join('\n\n'),
    parameters: [
      ...parametersOf(operation, 'path'),
      ...parametersOf(operation, 'query'),
      ...(operation.exported === undefined ? [] : [FORMAT]),
      ...headersOf(operation),
    ],
    ...(body === null ? {} : { requestBody: requestBody(operation, body) }),
    ...(callers === 'browser' ? { security: [{ browser: [] }] } : {}),
    responses: { ...successes(operation), ...refusalsOf(operation) },
    'x-codeSamples': examples.map((example) => ({
      lang: 'Shell',
      label: example.title,
      source: curlOf(operation, example, publicUrl).join('\n'),
    })),
  }
}

/** What holds beside the description, in words. */
function notes({ permission, sensitive, confirmed, callers, access }: Described): string[] {
  return [
    ...(callers === 'browser' ? ['No token may call this.'] : [`Needs the scope \`mcp:${access}\`.`]),
    ...(permission === null ? [] : [`Needs the permission \`${permission}\`.`]),
    ...(sensitive ? ['Counts against the smaller limit.'] : []),
    ...(confirmed ? ['The first call answers with a preview; the same call with its `confirmToken` does it.'] : []),
  ]
}

function parametersOf({ params, query, examples }: Described, place: 'path' | 'query'): Json[] {
  const { properties, required } = inputSchema(place === 'path' ? params : query)
  const exampleOf = (name: string) =>
    place === 'path' ? sampleOfParameter(name) : examples.find((one) => one.query?.[name] !== undefined)?.query?.[name]
  return Object.entries(isJson(properties) ? properties : {}).map(([name, property]) => {
    const { description, ...type } = isJson(property) ? property : {}
    const example = exampleOf(name)
    return {
      name,
      in: place,
      required: place === 'path' || (Array.isArray(required) && required.includes(name)),
      ...(description === undefined ? {} : { description }),
      schema: type,
      ...(example === undefined ? {} : { example: type['type'] === 'integer' ? Number(example) : example }),
    }
  })
}

function headersOf({ method, confirmed, body, versioned, follow }: Described): Json[] {
  const header = (name: string, description: string) => ({
    name,
    in: 'header',
    required: false,
    description,
    schema: { type: 'string' },
  })
  if (method === 'GET') {
    const resumed = header(
      'Last-Event-ID',
      'Of an event stream: the id of the last event that came. It goes on after it.',
    )
    return [
      header('If-None-Match', 'Answers 304 where the ETag is still this one.'),
      ...(follow === undefined ? [] : [resumed]),
    ]
  }
  return [
    ...(versioned ? [header('If-Match', 'Does it only if the ETag is still this one; 412 otherwise.')] : []),
    ...(versioned && method === 'PUT' ? [header('If-None-Match', '`*`: does it only if there is none yet.')] : []),
    header('Idempotency-Key', 'The same key with the same call has one effect and one answer.'),
    ...(confirmed && body === null ? [header('Confirm-Token', 'The confirmToken of the preview.')] : []),
  ]
}

function requestBody({ confirmed, examples }: Described, body: z.ZodType): Json {
  const schema = inputSchema(body)
  const required = !body.safeParse({}).success || !isJson(schema['properties'])
  const said = confirmed ? withConfirmToken(schema) : schema
  return { required, content: { 'application/json': { schema: said, examples: bodyExamples(examples) } } }
}

function bodyExamples(examples: readonly Example[]): Json {
  const said = examples.flatMap(({ title, body }) => (body === undefined ? [] : [[title, withSamples(body)] as const]))
  return Object.fromEntries(
    said.map(([title, value]) => [
      title
        .toLowerCase()
        .replace(/[^a-z]+/gu, '-')
        .replace(/^-|-$/gu, ''),
      { summary: title, value },
    ]),
  )
}

/** The schema, and each of its alternatives, with the token of a preview beside the rest. */
function withConfirmToken(schema: Json): Json {
  const { properties, oneOf } = schema
  if (Array.isArray(oneOf)) return { ...schema, oneOf: oneOf.filter(isJson).map(withConfirmToken) }
  const confirmToken = { type: 'string', description: 'Of the preview' }
  return isJson(properties) ? { ...schema, properties: { ...properties, confirmToken } } : schema
}

function successes(operation: Described): Json {
  const { statuses, output, confirmed, method, follow, exported } = operation
  const schema = plain(z.toJSONSchema(output, { io: 'output', target: 'openapi-3.0', unrepresentable: 'any' }))
  const preview = { $ref: '#/components/schemas/Preview' }
  const stream = { schema: { type: 'string', description: 'Server-sent events: `id` is the seq, `data` the event.' } }
  const shown = (status: number) => (status === 200 && confirmed ? { oneOf: [schema, preview] } : schema)
  const entries = statuses.map((status) => [
    status,
    {
      description: status === 201 ? 'Made; Location says where.' : 'Done.',
      headers: successHeaders(operation, status),
      content: {
        'application/json': { schema: shown(status) },
        ...(follow === undefined ? {} : { 'text/event-stream': stream }),
        ...(exported === undefined ? {} : { 'application/x-ndjson': EXPORT }),
      },
    },
  ])
  return {
    ...Object.fromEntries(entries),
    ...(method === 'GET' ? { 304: { description: 'Not changed.', headers: successHeaders(operation, 304) } } : {}),
  }
}

function inputSchema(schema: z.ZodType): Json {
  return plain(z.toJSONSchema(schema, { io: 'input', target: 'openapi-3.0', unrepresentable: 'any' }))
}

/** JSON and no more: without what zod adds that says nothing, or nothing to OpenAPI. */
function plain(value: unknown): Json {
  const json: Json = JSON.parse(JSON.stringify(value), (key, inner: unknown) => {
    const says = key !== '$schema' && inner !== Number.MAX_SAFE_INTEGER && inner !== Number.MIN_SAFE_INTEGER
    return says ? withoutPattern(inner) : undefined
  })
  return json
}

/** A number in an address is text to zod. */
function withoutPattern(value: unknown): unknown {
  if (!isJson(value) || value['type'] !== 'integer') return value
  const { pattern: _pattern, ...number } = value
  return number
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
