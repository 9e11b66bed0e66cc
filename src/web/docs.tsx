import { Hono } from 'hono'
import { signInCommand } from '../kernel/example.ts'
import { Layout } from './layout.tsx'
import { OperationDocs, type DescribedOperation, type DocumentedOperation } from './operation-docs.tsx'
import { pageHeaders } from './page-headers.ts'
import { renderPage } from './render.ts'
import { clientSetups } from './setup.ts'

/** What the page tells of a tool of MCP. */
export interface DocumentedTool {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly access: string
}

export interface Documented {
  readonly publicUrl: string
  readonly tools: readonly DocumentedTool[]
  readonly operations: readonly DocumentedOperation[]
  /** The OpenAPI document, which says of each what it takes and answers. */
  readonly document: object
  readonly errors: Readonly<
    Record<string, { readonly status: number; readonly title: string; readonly recovery: readonly string[] }>
  >
  /** Permission → least role. */
  readonly permissions: Readonly<Record<string, string>>
}

/** GET /docs and /docs/errors: everything that can be called, made of the same definitions; it needs nothing from elsewhere. */
export function createDocs(documented: Documented): Hono {
  const app = new Hono()
  app.use('/docs', pageHeaders(documented.publicUrl))
  app.use('/docs/*', pageHeaders(documented.publicUrl))
  app.get('/docs', (c) => renderPage(c, <DocsPage {...documented} />))
  app.get('/docs/errors', (c) => renderPage(c, <ErrorsPage errors={documented.errors} />))
  return app
}

function DocsPage({ publicUrl, tools, operations, document, permissions }: Documented) {
  const tags = [...new Set(operations.map(({ tag }) => tag))]
  return (
    <Layout title="Documentation" width="wide">
      <h1>Documentation</h1>
      <p class="lead">
        What agents and programs can call here. Machines read <a href="/api/openapi.json">/api/openapi.json</a>; what
        went wrong is explained under <a href="/docs/errors">errors</a>.
      </p>
      <nav aria-label="On this page">
        <ul>
          <li>
            <a href="#connect">Connect an agent</a>
          </li>
          <li>
            <a href="#tools">Tools for agents</a>
          </li>
          <li>
            <a href="#calling">Calling REST</a>
          </li>
          {tags.map((tag) => (
            <li>
              <a href={`#${anchor(tag)}`}>{tag}</a>
            </li>
          ))}
          <li>
            <a href="#roles">Roles</a>
          </li>
        </ul>
      </nav>
      <Agents publicUrl={publicUrl} tools={tools} />
      <Calling publicUrl={publicUrl} />
      {tags.map((tag) => (
        <Group
          tag={tag}
          publicUrl={publicUrl}
          document={document}
          operations={operations.filter((operation) => operation.tag === tag)}
        />
      ))}
      <h2 class="parting" id="roles">
        Roles
      </h2>
      <p class="soft">The least role that a permission needs; each role may do what the ones below it may.</p>
      <dl>
        {Object.entries(permissions).map(([permission, role]) => (
          <div>
            <dt>
              <code>{permission}</code>
            </dt>
            <dd>{role}</dd>
          </div>
        ))}
      </dl>
    </Layout>
  )
}

function Agents({ publicUrl, tools }: Pick<Documented, 'publicUrl' | 'tools'>) {
  return (
    <>
      <h2 class="parting" id="connect">
        Connect an agent
      </h2>
      {clientSetups(publicUrl).map(({ client, commands }) => (
        <section>
          <h3>{client}</h3>
          <pre>
            <code>{commands.join('\n')}</code>
          </pre>
        </section>
      ))}
      <h2 class="parting" id="tools">
        Tools for agents
      </h2>
      <p class="soft">
        MCP over Streamable HTTP at <code>{publicUrl}/api/mcp</code>. Every answer names the next tool.
      </p>
      {tools.map(({ name, title, description, access }) => (
        <section id={name}>
          <h3>
            <code>{name}</code> {title}
          </h3>
          <p>{description}</p>
          <p class="soft">
            Scope <code>mcp:{access}</code>
          </p>
        </section>
      ))}
    </>
  )
}

function Group(props: Pick<Documented, 'publicUrl' | 'operations' | 'document'> & { tag: string }) {
  const { tag, publicUrl, operations, document } = props
  return (
    <>
      <h2 class="parting" id={anchor(tag)}>
        {tag}
      </h2>
      {operations.map((operation) => {
        const described = describedIn(document, operation)
        return <OperationDocs operation={operation} described={described} publicUrl={publicUrl} />
      })}
    </>
  )
}

function describedIn(document: object, { method, path, name }: DocumentedOperation): DescribedOperation {
  // What http/openapi.ts makes.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const { paths } = document as { paths: Readonly<Record<string, Readonly<Record<string, DescribedOperation>>>> }
  const described = paths[path.replace(/:(\w+)/gu, '{$1}')]?.[method.toLowerCase()]
  if (described === undefined) throw new Error(`the document lacks ${name}`)
  return described
}

/** What every call has in common, before the first of them. */
function Calling({ publicUrl }: Pick<Documented, 'publicUrl'>) {
  return (
    <>
      <h2 class="parting" id="calling">
        Calling REST
      </h2>
      <p>
        With <code>Authorization: Bearer …</code>, a personal access token or an agent’s own token, or as a signed-in
        browser. What is shown in capitals after a <code>$</code> is yours to fill in. A person signs in with curl like
        this, for the calls that no token may make:
      </p>
      <pre>
        <code>{signInCommand(publicUrl)}</code>
      </pre>
      <p class="soft">
        What destroys answers first with a preview, and does it when the same call comes again with the{' '}
        <code>confirmToken</code>, in the body or as <code>Confirm-Token</code>, within five minutes and before anything
        else has changed. A write with an <code>Idempotency-Key</code> has one effect, however often it is sent. Every{' '}
        <code>ETag</code> is good for <code>If-None-Match</code>; refusals are problem details with a code.
      </p>
    </>
  )
}

function ErrorsPage({ errors }: Pick<Documented, 'errors'>) {
  return (
    <Layout title="Errors" width="wide">
      <h1>Errors</h1>
      <p class="lead">
        The same codes everywhere: in the answers of tools, and in the problem details of REST. A refusal has changed
        nothing.
      </p>
      {Object.entries(errors).map(([code, { status, title, recovery }]) => (
        <section id={code.toLowerCase()}>
          <h2>
            <code>{code}</code>
          </h2>
          <p>
            {title} <span class="soft">HTTP {status}</span>
          </p>
          <ul>
            {recovery.map((step) => (
              <li>{step}</li>
            ))}
          </ul>
        </section>
      ))}
    </Layout>
  )
}

function anchor(tag: string): string {
  return tag.toLowerCase().replace(/[^a-z]+/gu, '-')
}
