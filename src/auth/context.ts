import type { Config } from '../config.ts'
import type { Database } from '../db/client.ts'
import type { Log } from '../kernel/log.ts'
import type { BrowserSessions } from './browser-session.ts'
import type { Sealer } from './crypto.ts'

/** What every endpoint of this area works with. */
export interface AuthContext {
  readonly database: Database
  readonly config: Config
  readonly log: Log
  readonly sessions: BrowserSessions
  /** Seals the authorization request into the consent form. */
  readonly consents: Sealer
  /** To be called after the commit that ended a grant or a token: forgets proven tokens. */
  readonly forgetTokens: () => void
  /** To be called after the commit that ended a grant: forgets its tokens and ends what hangs on it. */
  readonly grantRevoked: (grantId: string) => Promise<void>
}
