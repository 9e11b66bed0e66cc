import type { Config } from '../config.ts'
import type { Database, OfUser, Scoped } from '../db/client.ts'
import type { AppError } from '../kernel/errors.ts'
import type { Log } from '../kernel/log.ts'
import type { Sealer } from '../kernel/sealer.ts'
import type { Room } from '../web/pages/consent.tsx'
import type { Aftermath } from './aftermath.ts'
import type { CountByAddress } from './address-limits.ts'
import type { BrowserSessions } from './browser-session.ts'
import type { ClientDocuments } from './client-documents.ts'

/** What the pages show of a person's things that do not belong to this area. */
export interface People {
  /** The workspaces that a person belongs to. */
  list(userId: string): Promise<readonly (Room & { readonly workspaceId: string })[]>
  /** How many agents are live by each of a person's grants; a grant without any may be missing. */
  agentsOf(userId: string, grantIds: readonly string[]): Promise<ReadonlyMap<string, number>>
  /** The agents that are live by a person's grants and tokens. */
  agentsBy(orm: Scoped<OfUser>, grantIds: readonly string[]): Promise<readonly ActingAgent[]>
}

/** An agent that acts in a person's name. */
export interface ActingAgent {
  readonly sessionId: string
  readonly agentId: string
  readonly workspaceId: string
}

/** What every endpoint of this area works with. */
export interface AuthContext {
  readonly database: Database
  readonly config: Config
  readonly log: Log
  readonly sessions: BrowserSessions
  /** What goes on record after the answer. */
  readonly aftermath: Aftermath
  /** What people have outside of this area. */
  readonly people: People
  /** Null where this server fetches none. */
  readonly clientDocuments: ClientDocuments | null
  /** Seals the authorization request into the consent form. */
  readonly consents: Sealer
  /** Seals a personal access token into the form that makes it. */
  readonly tokenForms: Sealer
  /** Counts what comes from an address before anybody has shown who they are. */
  readonly countByAddress: CountByAddress
  /** Counts administration that a person does on a page, with what they do over REST; the refusal, or null. */
  readonly limitedWork: (userId: string) => Promise<AppError | null>
  /** To be called after the commit that ended a token of a grant: forgets proven tokens, and says whose it was. */
  readonly tokenRevoked: (grantId: string) => Promise<string | null>
  /** To be called after the commit that ended sign-ins of browsers: ends what they have open. */
  readonly sessionEnded: (userId: string) => void
  /** To be called after the commit that ended a grant: forgets its tokens and ends what hangs on it. */
  readonly grantRevoked: (grantId: string) => Promise<void>
}
