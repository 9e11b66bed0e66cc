import { Alert, Field, Layout } from '../layout.tsx'
import { isAnyOpen, SetUpCode, UpstreamButtons, type UpstreamChoice } from '../upstreams.tsx'

export interface SignInProps {
  readonly next: string
  readonly email?: string | undefined
  readonly error?: string | undefined
  /** Has anybody an account here? */
  readonly isFirst: boolean
  /** Must the first account present the code that the server printed? */
  readonly needsCode: boolean
  /** Can people sign in with a password? */
  readonly withPassword: boolean
  /** May a new person create an account with a password? */
  readonly canSignUp: boolean
  readonly upstreams: readonly UpstreamChoice[]
}

export function SignInPage(props: SignInProps) {
  const { next, error, isFirst, canSignUp, withPassword, upstreams } = props
  const signUpPath = `/signup?${new URLSearchParams({ next }).toString()}`
  return (
    <Layout title="Sign in">
      <h1>Sign in</h1>
      {isFirst && (
        <p class="lead">
          Nobody has an account here yet.{' '}
          {canSignUp ? 'Create the first one to get started.' : 'Sign in to make yours the first.'}
        </p>
      )}
      {isFirst && canSignUp && (
        <p>
          <a class="button" href={signUpPath}>
            Create the first account
          </a>
        </p>
      )}
      <Alert message={error} />
      {upstreams.length > 0 && (
        <form method="post" action="/auth/start">
          <input type="hidden" name="next" value={next} />
          {props.needsCode && isAnyOpen(upstreams) && <SetUpCode />}
          <UpstreamButtons verb="Continue with" upstreams={upstreams} quiet={withPassword} />
        </form>
      )}
      {upstreams.length > 0 && withPassword && <p class="or">or with a password</p>}
      {withPassword && <PasswordForm {...props} />}
      {canSignUp && !isFirst && (
        <p class="below">
          New here? <a href={signUpPath}>Create an account</a>
        </p>
      )}
    </Layout>
  )
}

function PasswordForm({ next, email, isFirst, upstreams }: SignInProps) {
  return (
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
        autofocus={email === undefined && !isFirst && upstreams.length === 0}
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
      <button type="submit" class={isFirst ? 'quiet' : undefined}>
        Sign in
      </button>
    </form>
  )
}
