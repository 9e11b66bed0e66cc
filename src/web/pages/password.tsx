import { Alert, Field, Layout } from '../layout.tsx'
import { isAnyOpen, UpstreamButtons, type UpstreamChoice } from '../upstreams.tsx'

const PATH = '/account/password'

export interface PasswordProps {
  readonly email: string
  readonly csrfToken: string
  readonly hasPassword: boolean
  /** Who the person is elsewhere, as they added it. */
  readonly identities: readonly ListedIdentity[]
  readonly upstreams: readonly UpstreamChoice[]
  readonly error: string | undefined
}

interface ListedIdentity {
  readonly issuer: string
  readonly subject: string
  readonly email: string
  /** What people know the issuer by. */
  readonly name: string
}

export function PasswordPage(props: PasswordProps) {
  const { email, hasPassword, identities, upstreams, error } = props
  return (
    <Layout title="How you sign in">
      <h1>How you sign in</h1>
      <p class="lead">
        You are signed in as <strong>{email}</strong>.
      </p>
      <Alert message={error} />
      <section>
        <h2>Password</h2>
        {hasPassword ? (
          <ChangeForm {...props} />
        ) : (
          <p class="soft">You have no password here: you sign in with {namesOf(identities)}.</p>
        )}
      </section>
      {(identities.length > 0 || upstreams.length > 0) && <Elsewhere {...props} />}
      <p class="below">
        <a href="/account/connections">Connections</a> · <a href="/logout">Sign out</a>
      </p>
    </Layout>
  )
}

function namesOf(identities: readonly ListedIdentity[]): string {
  return [...new Set(identities.map(({ name }) => name))].join(' and ') || 'another account'
}

function ChangeForm({ email, csrfToken }: PasswordProps) {
  return (
    <form method="post" action={PATH}>
      <input type="hidden" name="csrf" value={csrfToken} />
      {/* For password managers, which keep a password with its address. */}
      <input type="email" autocomplete="username" value={email} aria-label="E-mail" readonly hidden />
      <CurrentPassword />
      <Field
        label="New password"
        name="next"
        type="password"
        autocomplete="new-password"
        hint="At least 8 characters; 15 or more are better. You are signed out everywhere else."
        required
        minlength={8}
        maxlength={256}
      />
      <button type="submit">Change password</button>
    </form>
  )
}

/** @param of which form it is in: a page may ask for it twice. */
function CurrentPassword({ of }: { of?: string }) {
  return (
    <Field
      label="Current password"
      name="current"
      id={of === undefined ? 'field-current' : `field-current-${of}`}
      type="password"
      autocomplete="current-password"
      required
      maxlength={256}
    />
  )
}

function Elsewhere({ csrfToken, hasPassword, identities, upstreams }: PasswordProps) {
  const isOneOfSeveral = identities.length + (hasPassword ? 1 : 0) > 1
  return (
    <section>
      <h2 class="parting">Elsewhere</h2>
      {identities.length > 0 && (
        <ul class="list" role="list">
          {identities.map(({ issuer, subject, name, email }) => (
            <li>
              <div>
                <strong>{name}</strong>
                <p class="soft">{email}</p>
              </div>
              {isOneOfSeveral && (
                <form method="post" action={`${PATH}/remove`}>
                  <input type="hidden" name="csrf" value={csrfToken} />
                  <input type="hidden" name="issuer" value={issuer} />
                  <input type="hidden" name="subject" value={subject} />
                  <button type="submit" class="quiet" aria-label={`Remove ${name}, ${email}`}>
                    Remove
                  </button>
                </form>
              )}
            </li>
          ))}
        </ul>
      )}
      {upstreams.length > 0 && (
        <form method="post" action={`${PATH}/add`}>
          <input type="hidden" name="csrf" value={csrfToken} />
          <p class="soft">Add an account that you have there, and it signs you in here too, as the same person.</p>
          {hasPassword && isAnyOpen(upstreams) && <CurrentPassword of="add" />}
          <UpstreamButtons verb="Add" upstreams={upstreams} quiet />
        </form>
      )}
    </section>
  )
}

/** After the change: the person decides about their agents, which the password has nothing to do with. */
export function PasswordChangedPage() {
  return (
    <Layout title="Password changed">
      <h1>Password changed</h1>
      <p class="lead">
        You are signed out in all other browsers. Your agents stay connected: they were let in by your consent, not by
        your password.
      </p>
      <p>If somebody else may have known the old password, end every connection that you do not know.</p>
      <p>
        <a class="button" href="/account/connections">
          Look at your connections
        </a>
      </p>
      <p class="below">
        <a href="/">Start page</a>
      </p>
    </Layout>
  )
}
