import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { EventEmitter } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Dredd: makes a transaction of each answer that the OpenAPI document names, performs it and compares. Of OpenAPI 3 it reads no
 * schemas of bodies, only samples: the schema of the document is given to it with each transaction.
 */

/** A transaction as Dredd hands it to hooks, which change it. */
export interface Transaction {
  /** Method, status and address: what its outcome goes by. */
  readonly id: string
  readonly origin: { readonly resourceName: string; readonly exampleName: string }
  readonly request: { readonly method: string; headers: Record<string, string>; body: string }
  readonly expected: {
    readonly statusCode: string
    readonly headers: Record<string, string>
    body?: string
    bodySchema?: string
  }
  fullPath: string
  skip: boolean
  fail?: string
}

/** What became of a transaction. */
export interface Outcome {
  readonly id: string
  readonly outcome: 'pass' | 'fail' | 'skip'
  /** Why it failed. */
  readonly message: string
}

interface DreddTest {
  readonly title: string
  readonly origin?: object
  readonly message?: string
}

interface ReporterLogger {
  readonly default: { readonly transports: { readonly console: { silent: boolean } } }
}

type DreddClass = new (configuration: object) => { run(done: (error: Error | null, stats: unknown) => void): void }

export type OpenApi = Readonly<Record<string, unknown>> & {
  readonly components: object
  readonly paths: Readonly<Record<string, Readonly<Record<string, DescribedOperation>>>>
}

interface DescribedOperation {
  readonly responses: Readonly<
    Record<string, { readonly $ref?: string; readonly content?: Readonly<Record<string, { readonly schema: object }>> }>
  >
}

const HOOKS = fileURLToPath(new URL('dredd-hooks.cjs', import.meta.url))

/**
 * Runs Dredd on a document, to its end.
 *
 * @param folder where Dredd is installed
 * @param prepare fills a transaction in, or sets `skip`
 */
export async function runDredd(
  folder: string,
  options: { document: OpenApi; endpoint: string; prepare: (one: Transaction) => Promise<void> },
): Promise<Outcome[]> {
  const { document, endpoint, prepare } = options
  const require = createRequire(join(folder, 'package.json'))
  const Dredd = require('dredd') as DreddClass
  // It would print each transaction, whatever its log level.
  const logger = require('dredd/build/reporters/reporterOutputLogger') as ReporterLogger
  logger.default.transports.console.silent = true
  const emitter = new EventEmitter()
  const outcomes: Outcome[] = []
  for (const outcome of ['pass', 'fail', 'skip'] as const) {
    emitter.on(`test ${outcome}`, ({ title, message = '' }: DreddTest) =>
      outcomes.push({ id: title, outcome, message }),
    )
  }
  emitter.on('test error', (error: Error, { title }: DreddTest) =>
    outcomes.push({ id: title, outcome: 'fail', message: error.message }),
  )
  const work = mkdtempSync(join(tmpdir(), 'ork-dredd-'))
  const path = join(work, 'openapi.json')
  writeFileSync(path, JSON.stringify(document))
  Object.assign(globalThis, {
    async orkestrateDredd(one: Transaction) {
      giveSchema(document, one)
      await prepare(one)
    },
  })
  try {
    const dredd = new Dredd({
      endpoint,
      path: [path],
      hookfiles: [HOOKS],
      emitter,
      loglevel: 'silent',
      reporter: [],
    })
    await new Promise<void>((resolve, reject) => dredd.run((error) => (error ? reject(error) : resolve())))
  } finally {
    Reflect.deleteProperty(globalThis, 'orkestrateDredd')
    rmSync(work, { recursive: true, force: true })
  }
  return outcomes
}

/** The schema that the document has for this answer, as JSON Schema. */
function giveSchema(document: OpenApi, { origin, request, expected }: Transaction): void {
  const responses = document.paths[origin.resourceName]?.[request.method.toLowerCase()]?.responses ?? {}
  const named = responses[expected.statusCode]
  const response = named?.$ref === undefined ? named : at(document, named.$ref)
  const [, mediaType = ''] = origin.exampleName.split(' > ')
  const schema = response?.content?.[mediaType]?.schema
  delete expected.body
  if (schema === undefined || !mediaType.includes('json') || mediaType.endsWith('ndjson')) return
  const { components } = document
  const draft = { $schema: 'http://json-schema.org/draft-04/schema#' }
  expected.bodySchema = JSON.stringify({ ...draft, allOf: [jsonSchema(schema)], components: jsonSchema(components) })
}

function at(document: OpenApi, pointer: string): DescribedOperation['responses'][string] | undefined {
  let value: unknown = document
  for (const name of pointer.replace('#/', '').split('/')) value = (value as Record<string, unknown>)[name]
  return value as DescribedOperation['responses'][string]
}

/** OpenAPI 3.0 is draft 4 of JSON Schema but for `nullable`. */
function jsonSchema(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(jsonSchema)
  if (typeof value !== 'object' || value === null) return value
  const { nullable, ...rest } = value as Record<string, unknown>
  const schema = Object.fromEntries(Object.entries(rest).map(([name, inner]) => [name, jsonSchema(inner)]))
  return nullable === true ? { anyOf: [schema, { enum: [null] }] } : schema
}
