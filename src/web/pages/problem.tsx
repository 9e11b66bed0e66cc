import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { Layout } from '../layout.tsx'

/** An error as a person is told it. */
export interface Problem {
  readonly status: ContentfulStatusCode
  /** In a few words; the heading. */
  readonly title: string
  /** What happened, in a sentence. */
  readonly happened: string
  /** What the person can do about it. */
  readonly next: string
  readonly retryAfterSeconds?: number | undefined
  /** Where to try it again, here. */
  readonly again?: { readonly href: string; readonly label: string }
  /** Somebody else's address that the person may go on to. */
  readonly onward?: { readonly href: string; readonly address: string }
}

/** @param requestId finds the request in the server's log; undefined outside of any. */
export function ProblemPage({ problem, requestId }: { problem: Problem; requestId: string | undefined }) {
  return (
    <Layout title={problem.title}>
      <h1>{problem.title}</h1>
      <p class="lead" role="alert">
        {problem.happened}
      </p>
      <p>{problem.next}</p>
      {problem.again !== undefined && (
        <p class="actions">
          <a class="button" href={problem.again.href}>
            {problem.again.label}
          </a>
        </p>
      )}
      {problem.onward !== undefined && (
        <p>
          The client that sent you here is at <code>{problem.onward.address}</code>. If you trust that address you may{' '}
          <a href={problem.onward.href} rel="noreferrer">
            go back there
          </a>
          .
        </p>
      )}
      <nav class="links" aria-label="Elsewhere">
        <a href="/">Start page</a>
      </nav>
      {requestId !== undefined && (
        <p class="hint">
          Request <code>{requestId}</code>
        </p>
      )}
    </Layout>
  )
}
