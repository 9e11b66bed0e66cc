import { curlOf, type Exemplified } from '../kernel/example.ts'
import { shapeOf, type Schema } from './shape.ts'

/** What the page tells of an operation of REST. */
export interface DocumentedOperation extends Exemplified {
  readonly name: string
  readonly tag: string
  readonly title: string
  readonly description: string
  readonly access: string
  readonly permission: string | null
  readonly sensitive: boolean
  readonly confirmed: boolean
}

/** An operation as the OpenAPI document has it. */
export interface DescribedOperation {
  readonly parameters: readonly {
    readonly name: string
    readonly in: string
    readonly required: boolean
    readonly description?: string
    readonly schema: Schema
  }[]
  readonly requestBody?: { readonly required: boolean; readonly content: Content }
  readonly responses: Readonly<Record<string, { readonly description?: string; readonly content?: Content }>>
}

type Content = Readonly<Record<string, { readonly schema: Schema }>>

/** Everything that somebody needs to call it: what it takes, what it answers, and a command to start from. */
export function OperationDocs(props: {
  operation: DocumentedOperation
  described: DescribedOperation
  publicUrl: string
}) {
  const { operation, described, publicUrl } = props
  const body = described.requestBody?.content['application/json']?.schema
  return (
    <section id={operation.name} class="operation">
      <h3>{operation.title}</h3>
      <p class="call">
        <code>{`${operation.method} ${operation.path.replace(/:(\w+)/gu, '{$1}')}`}</code>
      </p>
      <p>
        <Prose>{operation.description}</Prose>
      </p>
      <p class="soft">{factsOf(operation)}</p>
      <Parameters described={described} />
      {body !== undefined && (
        <Shape of={`Body${described.requestBody?.required === true ? '' : ', optional'}`} schema={body} />
      )}
      {['200', '201'].map((status) => {
        const schema = described.responses[status]?.content?.['application/json']?.schema
        return schema === undefined ? null : <Shape of={`Answer ${status}`} schema={schema} />
      })}
      <h4>Refused with</h4>
      <p class="soft">{refusalsOf(described)}</p>
      <h4>With curl</h4>
      {operation.examples.map((example) => (
        <>
          {operation.examples.length > 1 && <p class="soft">{example.title}</p>}
          <pre>
            <code>{curlOf(operation, example, publicUrl).join('\n')}</code>
          </pre>
        </>
      ))}
    </section>
  )
}

/** A description, where what is between backticks is code, as in Markdown. */
function Prose({ children }: { children: string }) {
  const parts = children.split('`')
  return <>{parts.map((part, index) => (index % 2 === 1 ? <code>{part}</code> : part))}</>
}

function Parameters({ described }: { described: DescribedOperation }) {
  if (described.parameters.length === 0) return null
  return (
    <>
      <h4>Parameters</h4>
      <dl class="parameters">
        {described.parameters.map((parameter) => (
          <div>
            <dt>
              <code>{parameter.name}</code>
            </dt>
            <dd>
              <Prose>
                {[
                  `${parameter.in}${parameter.required ? ', required' : ''}`,
                  shapeOf(parameter.schema),
                  ...(parameter.description === undefined ? [] : [parameter.description]),
                ].join(' · ')}
              </Prose>
            </dd>
          </div>
        ))}
      </dl>
    </>
  )
}

function Shape({ of, schema }: { of: string; schema: Schema }) {
  return (
    <>
      <h4>{of}</h4>
      <pre>
        <code>{shapeOf(schema)}</code>
      </pre>
    </>
  )
}

function factsOf({ access, permission, sensitive, confirmed, callers }: DocumentedOperation): string {
  return [
    callers === 'browser' ? 'Signed-in browser only' : `Scope mcp:${access}`,
    ...(permission === null ? [] : [`permission ${permission}`]),
    ...(sensitive ? ['counts against the smaller limit'] : []),
    ...(confirmed ? ['previewed, then confirmed with confirmToken'] : []),
  ].join(' · ')
}

function refusalsOf({ responses }: DescribedOperation): string {
  return `${Object.keys(responses)
    .filter((status) => status >= '400' && status !== 'default')
    .join(', ')}, as problem details`
}
