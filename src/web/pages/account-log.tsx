import type { JsonObject } from '../../kernel/canonical.ts'
import { AccountLinks, Layout, Moment } from '../layout.tsx'
import { Name } from './client.tsx'

/** An entry of an account log (modules/audit), as far as a page looks into it. */
export interface LogEntry {
  readonly seq: number
  readonly type: string
  readonly at: Date
  readonly actor: { readonly kind: string; readonly userId?: string }
  readonly payload: JsonObject
}

export interface AccountLogProps {
  readonly userId: string
  readonly entries: readonly LogEntry[]
  /** There are older ones. */
  readonly more: boolean
  /** These are not the newest. */
  readonly older: boolean
}

export function AccountLogPage({ userId, entries, more, older }: AccountLogProps) {
  const last = entries.at(-1)
  return (
    <Layout title="Your account’s log" width="wide">
      <h1>Your account’s log</h1>
      <p class="lead">
        What happened to your account, the newest first. Nothing in it can be changed or deleted. If you see something
        that was not you, <a href="/account/password">change your password</a> and{' '}
        <a href="/account/connections">end the connections</a> that you do not know.
      </p>
      {entries.length === 0 ? (
        <p>{older ? 'There is nothing older.' : 'Nothing is on record yet.'}</p>
      ) : (
        <ul class="pairs lined" role="list">
          {entries.map((entry) => (
            <Entry key={entry.seq} entry={entry} userId={userId} />
          ))}
        </ul>
      )}
      <p class="soft">
        <a href="/api/audit?format=ndjson">Save all of it</a> as NDJSON: every entry has the hash of the one before, so
        anybody can verify that none is missing or was changed.
      </p>
      <AccountLinks
        to={[
          ...(more && last !== undefined ? [[`/account/log?before=${last.seq}`, 'Older'] as const] : []),
          ...(older ? [['/account/log', 'Newest'] as const] : []),
          ['/account/connections', 'Connections'],
        ]}
      />
    </Layout>
  )
}

function Entry({ entry, userId }: { entry: LogEntry; userId: string }) {
  const { said, name } = sentenceOf(entry, userId)
  const details = detailsOf(entry, userId)
  return (
    <li>
      <span>
        {said}
        {name !== '' && (
          <>
            {' “'}
            <Name>{name}</Name>”
          </>
        )}
        {details.map((detail) => (
          <span class="soft"> · {detail}</span>
        ))}
      </span>
      <span class="soft">
        <Moment at={entry.at} />
      </span>
    </li>
  )
}

type Say = (field: (name: string) => string, isMine: boolean) => string

/** What each type says to the person whose log it is; with `name` somebody else's words beside it, kept apart. */
const SENTENCES: Readonly<Record<string, Say>> = {
  'log.begun': () => 'This log began',
  'account.created': (field) => `Account created, by ${wayOf(field('way'))}`,
  'session.began': (field) => `Signed in, by ${wayOf(field('way'))}`,
  'session.ended': (field) =>
    field('reason') === 'signed_out' ? 'Signed out' : 'A sign-in was replaced by another in the same browser',
  'sessions.ended': (field) =>
    `${field('count')} other ${field('count') === '1' ? 'browser' : 'browsers'} signed out${field('reason') === 'password_changed' ? ', because the password changed' : ''}`,
  'sign_in.failed': (field) =>
    field('way') === 'password' ? 'A sign-in failed: wrong password' : 'A wrong current password was entered',
  'password.changed': () => 'Password changed',
  'identity.added': (field) => `Added a way to sign in: ${wayOf(field('issuer'))}`,
  'identity.removed': (field) => `Removed a way to sign in: ${wayOf(field('issuer'))}`,
  'consent.granted': () => 'Allowed a client',
  'consent.denied': () => 'Denied a client',
  'grant.began': () => 'A client that was allowed connected',
  'grant.revoked': (field) => `A connection ended: ${REASONS[field('because')] ?? field('because')}`,
  'access_token.revoked': () => 'A client gave back an access token',
  'token.created': () => 'Made a personal access token',
  'token.revoked': () => 'Revoked a personal access token',
  'access.ended': (field) => `Ended all connections: ${field('grants')} clients, ${field('tokens')} tokens`,
  'membership.began': (field) => `${field('how') === 'founded' ? 'Created' : 'Joined'} a workspace as ${field('role')}`,
  'membership.ended': (field, isMine) =>
    ({
      left: 'Left a workspace',
      removed: isMine ? 'Removed from a workspace' : 'Removed a member from a workspace',
      workspace_deleted: 'A workspace was deleted',
    })[field('reason')] ?? 'A membership ended',
  'role.changed': (field, isMine) =>
    `${isMine ? 'Your role changed' : 'Changed the role of a member'} from ${field('from')} to ${field('to')}`,
  'workspace.deleted': () => 'Deleted a workspace',
  'access.refused': (field) => `Refused: ${field('operation')} (${field('code')})`,
}

const REASONS: Readonly<Record<string, string>> = {
  client: 'the client ended it',
  person: 'you ended it',
  code_replayed: 'its authorization code was used twice, perhaps by somebody else',
  refresh_token_reused: 'an old refresh token came back, perhaps from somebody else',
}

function sentenceOf({ type, payload }: LogEntry, userId: string): { said: string; name: string } {
  const field = fieldOf(payload)
  const isMine = !('userId' in payload) || payload['userId'] === userId
  return { said: SENTENCES[type]?.(field, isMine) ?? type, name: field('clientName') || field('name') }
}

/** Where, from where, by whom, and how much is left out. */
function detailsOf({ actor, payload }: LogEntry, userId: string): string[] {
  const field = fieldOf(payload)
  const unrecorded = field('unrecorded')
  return [
    field('workspaceId'),
    field('address') === '' ? '' : `from ${field('address')}`,
    actor.kind === 'token' ? 'by a program of yours' : '',
    actor.userId !== undefined && actor.userId !== userId ? `by ${actor.userId}` : '',
    unrecorded === '' || unrecorded === '0' ? '' : `${unrecorded} more before this one`,
  ].filter((detail) => detail !== '')
}

const fieldOf = (payload: JsonObject) => (name: string) => {
  const value = payload[name]
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

/** An issuer by its host. */
function wayOf(way: string): string {
  return URL.canParse(way) ? new URL(way).host : way
}
