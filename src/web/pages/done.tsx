import { Layout } from '../layout.tsx'

/**
 * Where a sign-in ends on a page of ours, and the answer to a consent form that was decided before: by the first click
 * of a double click, or before going back.
 *
 * @param answer where the decision sends the browser, as long as the client still waits for that.
 */
export function DonePage({ answer }: { answer?: string }) {
  return (
    <Layout title="Done">
      <h1>You can close this window</h1>
      <p class="lead" role="status">
        The decision has been made. Go back to your agent.
      </p>
      {answer !== undefined && (
        <p class="actions">
          <a class="button" href={answer}>
            My agent still waits
          </a>
        </p>
      )}
      <p class="below">
        What you have allowed is listed under <a href="/account/connections">Connections</a>, where you can end it.
      </p>
    </Layout>
  )
}
