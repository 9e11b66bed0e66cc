import { Alert, Field, Layout } from '../layout.tsx'
import { SetUpCode } from '../upstreams.tsx'

export interface SignUpProps {
  readonly next: string
  readonly email?: string | undefined
  readonly name?: string | undefined
  readonly error?: string | undefined
  /** The very first account of a public server: whoever creates it must have access to the server's output. */
  readonly needsCode: boolean
}

export function SignUpPage({ next, email, name, error, needsCode }: SignUpProps) {
  return (
    <Layout title="Create an account">
      <h1>Create an account</h1>
      <p class="lead">Your agents will act in your name, and your team will see it.</p>
      <Alert message={error} />
      <form method="post" action="/signup">
        <input type="hidden" name="next" value={next} />
        <Field
          label="Name"
          name="name"
          type="text"
          autocomplete="name"
          value={name}
          required
          maxlength={60}
          autofocus
        />
        <Field
          label="E-mail"
          name="email"
          type="email"
          autocomplete="username"
          value={email}
          required
          maxlength={254}
        />
        <Field
          label="Password"
          name="password"
          type="password"
          autocomplete="new-password"
          hint="At least 8 characters; 15 or more are better. A few random words are fine."
          required
          autofocus={error !== undefined}
          minlength={8}
          maxlength={256}
        />
        {needsCode && <SetUpCode />}
        <button type="submit">Create account</button>
      </form>
      <p class="below">
        Already have an account? <a href={`/login?${new URLSearchParams({ next }).toString()}`}>Sign in</a>
      </p>
    </Layout>
  )
}
