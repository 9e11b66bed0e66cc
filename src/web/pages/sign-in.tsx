import { Alert, Field, Layout } from '../layout.tsx'

export interface SignInProps {
  readonly next: string
  readonly email?: string | undefined
  readonly error?: string | undefined
  /** May a new person create an account here? */
  readonly signUp: 'first' | 'open' | 'closed'
}

export function SignInPage({ next, email, error, signUp }: SignInProps) {
  const signUpPath = `/signup?${new URLSearchParams({ next }).toString()}`
  return (
    <Layout title="Sign in">
      <h1>Sign in</h1>
      {signUp === 'first' && (
        <>
          <p class="lead">Nobody has an account here yet. Create the first one to get started.</p>
          <p>
            <a class="button" href={signUpPath}>
              Create the first account
            </a>
          </p>
        </>
      )}
      <Alert message={error} />
      <form method="post" action="/login">
        <input type="hidden" name="next" value={next} />
        <Field
          label="E-mail"
          name="email"
          type="email"
          autocomplete="username"
          value={email}
          required
          maxlength={254}
          autofocus={email === undefined && signUp !== 'first'}
        />
        <Field
          label="Password"
          name="password"
          type="password"
          autocomplete="current-password"
          autofocus={email !== undefined}
          required
          maxlength={256}
        />
        <button type="submit" class={signUp === 'first' ? 'quiet' : undefined}>
          Sign in
        </button>
      </form>
      {signUp === 'open' && (
        <p class="below">
          New here? <a href={signUpPath}>Create an account</a>
        </p>
      )}
    </Layout>
  )
}
