import type { Scope } from '../../kernel/principal.ts'
import { Layout } from '../layout.tsx'

export interface ConsentProps {
  /** Already cleaned for display, and still only what the client says of itself. */
  readonly clientName: string
  readonly destination: string
  readonly leadsToOwnComputer: boolean
  readonly scopes: readonly Scope[]
  readonly email: string
  readonly daysMax: number
  /** The authorization request, sealed for this session. */
  readonly sealedRequest: string
  readonly switchAccountPath: string
}

const RIGHTS: Readonly<Record<Scope, string>> = {
  'mcp:read': 'See your workspaces: who works on what, claims, plans and shared values',
  'mcp:write': 'Act in your name there: join, claim files, publish progress, change what your role lets you change',
}

export function ConsentPage(props: ConsentProps) {
  return (
    <Layout title="Allow access">
      <h1>Allow “{props.clientName}” to act as you?</h1>
      <p class="lead">
        You are signed in as <strong>{props.email}</strong>. <a href={props.switchAccountPath}>Not you?</a>
      </p>
      <dl>
        <div>
          <dt>It may</dt>
          <dd>
            <ul>
              {props.scopes.map((scope) => (
                <li>{RIGHTS[scope]}</li>
              ))}
            </ul>
          </dd>
        </div>
        <div>
          <dt>Access goes to</dt>
          <dd>
            <code>{props.destination}</code>
          </dd>
        </div>
        <div>
          <dt>For how long</dt>
          <dd>
            Until you end it under <a href="/account/connections">Connections</a>, at most {props.daysMax} days
          </dd>
        </div>
      </dl>
      <p class="note">
        This client registered itself; nobody has verified its name.{' '}
        {props.leadsToOwnComputer
          ? 'Access goes to a program on your own computer. Allow only if you have just started this sign-in there yourself.'
          : 'Allow only if you trust the address above and have just started this sign-in yourself.'}
      </p>
      <form method="post" action="/oauth/authorize">
        <input type="hidden" name="request" value={props.sealedRequest} />
        <div class="choice">
          <button type="submit" name="decision" value="allow">
            Allow
          </button>
          <button type="submit" name="decision" value="deny" class="quiet">
            Deny
          </button>
        </div>
      </form>
    </Layout>
  )
}
