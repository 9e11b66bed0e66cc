import { Layout } from '../layout.tsx'

export function SignOutPage({ email, csrfToken, next }: { email: string; csrfToken: string; next: string }) {
  return (
    <Layout title="Sign out">
      <h1>Sign out?</h1>
      <p class="lead">
        You are signed in as <strong>{email}</strong>. Your agents stay connected; end them under{' '}
        <a href="/account/connections">Connections</a>.
      </p>
      <form method="post" action="/logout">
        <input type="hidden" name="csrf" value={csrfToken} />
        <input type="hidden" name="next" value={next} />
        <button type="submit">Sign out</button>
      </form>
    </Layout>
  )
}
