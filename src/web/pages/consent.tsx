import type { Scope } from '../../kernel/principal.ts'
import { Fact, Layout } from '../layout.tsx'
import { type Landing, Name, type Verification, VerificationMark } from './client.tsx'

export interface ConsentProps {
  /** Already cleaned for display, and still only what the client says of itself. */
  readonly clientName: string
  readonly verified: Verification
  readonly landing: Landing
  readonly scopes: readonly Scope[]
  readonly person: { readonly name: string; readonly email: string }
  /** All that the person belongs to. */
  readonly workspaces: readonly Room[]
  readonly daysMax: number
  /** The authorization request, sealed for this session. */
  readonly sealedRequest: string
  readonly switchAccountPath: string
}

/** A workspace as far as the consent page looks into it. */
export interface Room {
  readonly workspaceName: string
  readonly role: string
  readonly active: boolean
}

/** What each right means, for somebody who has never heard of scopes. */
const RIGHTS: Readonly<Record<Scope, string>> = {
  'mcp:read': 'See your workspaces: who works on what, claims, plans and shared values',
  'mcp:write': 'Act in your name there: claim files, publish progress, change whatever you may change',
}

/** What the address is, and when to say no. */
const LANDINGS: Readonly<Record<Landing['kind'], { what: string; caution: string }>> = {
  website: {
    what: 'a website',
    caution: 'Allow only if you know this website and have just started this sign-in there yourself.',
  },
  'own-computer': {
    what: 'a program on your own computer',
    caution: 'Allow only if you have just started this sign-in yourself, on this very computer.',
  },
  application: {
    what: 'the application on this computer that opens such addresses',
    caution:
      'Allow only if you have just started this sign-in yourself, in that application. Your browser will then ask ' +
      'whether to open it; let it, and close this window.',
  },
}

/** Workspaces that are named; the others are counted. */
const SHOWN = 4

export function ConsentPage(props: ConsentProps) {
  const { clientName, verified, landing, person } = props
  const { what, caution } = LANDINGS[landing.kind]
  return (
    <Layout title="Allow access" width="broad">
      <h1>
        Allow “<Name>{clientName}</Name>” to act as you?
      </h1>
      <p class="lead">
        You are signed in as{' '}
        <strong>
          <Name>{person.name}</Name>
        </strong>{' '}
        ({person.email}). <a href={props.switchAccountPath}>Not you?</a>
      </p>
      <dl class="facts">
        <Fact term="Who asks">
          <VerificationMark verified={verified} />
        </Fact>
        <Fact term="Leads to">
          <code>{landing.address}</code>, {what}
        </Fact>
        <Fact term="It may">
          <ul>
            {props.scopes.map((scope) => (
              <li>{RIGHTS[scope]}</li>
            ))}
          </ul>
          <div class="soft">Its rights in a workspace never exceed your own role there.</div>
        </Fact>
        <Fact term="Where">
          <Rooms all={props.workspaces} />
        </Fact>
        <Fact term="How long">At most {props.daysMax} days. You can end it at any time on your Connections page.</Fact>
      </dl>
      <p class="note" id="caution">
        {caution}
      </p>
      <form method="post" action="/oauth/authorize">
        <input type="hidden" name="request" value={props.sealedRequest} />
        <div class="choice">
          <button type="submit" name="decision" value="allow" aria-describedby="caution">
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

function Rooms({ all }: { all: readonly Room[] }) {
  const shown = all.toSorted((a, b) => Number(b.active) - Number(a.active)).slice(0, SHOWN)
  const others = all.length - shown.length
  return (
    <>
      {shown.length > 0 && (
        <ul class="pairs" role="list">
          {shown.map(({ workspaceName, role }) => (
            <li>
              <Name>{workspaceName}</Name> <span class="soft">{role === 'viewer' ? 'viewer, reads only' : role}</span>
            </li>
          ))}
        </ul>
      )}
      <div class="soft">{roomsBeyond(shown.length, others)}</div>
    </>
  )
}

function roomsBeyond(shown: number, others: number): string {
  if (shown === 0) {
    return 'You are in no workspace yet. The first agent that joins from one of your repositories makes one.'
  }
  if (others === 0) return 'And any workspace that you join later.'
  return `And in ${others} more, and any that you join later.`
}
