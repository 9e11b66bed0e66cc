import type { Accounts } from './accounts.ts'
import type { Admission } from './admission.ts'
import type { Identities } from './identities.ts'
import type { SignInThrottle } from './sign-in-throttle.ts'
import type { Trips } from './upstream/trips.ts'
import type { Upstream } from './upstream/upstream.ts'

/** The ways in which people prove who they are, and what stands around them. */
export interface Ways {
  readonly admission: Admission
  readonly accounts: Accounts
  readonly throttle: SignInThrottle
  readonly upstreams: readonly Upstream[]
  readonly trips: Trips
  readonly identities: Identities
}
