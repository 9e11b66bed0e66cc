/** A person as an upstream vouches for them, cleaned and within our bounds. */
export interface UpstreamPerson {
  /** With the subject: who this is, for ever. */
  readonly issuer: string
  readonly subject: string
  /** For people to know each other by; it proves nothing here (S-37). */
  readonly email: string
  readonly name: string
}

/** What one sign-in at an upstream is bound to, from our page and back; all of it random. */
export interface Trip {
  readonly state: string
  readonly nonce: string
  readonly codeVerifier: string
}

/** Somewhere else where people prove who they are. Its tokens are read once and never kept (S-06). */
export interface Upstream {
  /** In addresses: /auth/callback/<id>. */
  readonly id: 'oidc' | 'supabase'
  /** What people know it by: Continue with <name>. */
  readonly name: string
  /** As in the identities that it vouches for. */
  readonly issuer: string
  /** Does the answer carry our `state`? If not, the PKCE verifier alone binds it to the browser. */
  readonly returnsState: boolean
  /**
   * Resolves when people can be sent there.
   *
   * @throws UpstreamError
   */
  ready(): Promise<void>
  /**
   * Where the browser goes.
   *
   * @throws UpstreamError
   */
  begin(trip: Trip): Promise<URL>
  /**
   * Who came back.
   *
   * @param callback the address that the upstream sent the browser to, on our public origin.
   * @throws UpstreamError
   */
  finish(callback: URL, trip: Trip): Promise<UpstreamPerson>
}

/**
 * Why somebody could not be signed in by an upstream: the person or the upstream said no (`refused`), it does not answer
 * (`away`), or whoever runs this server has to mend something (`misconfigured`).
 */
export type UpstreamFault = 'refused' | 'away' | 'misconfigured'

/** The message is for the person, in our own words; `facts` are for the log and hold no secret. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError'
  readonly fault: UpstreamFault
  readonly facts: Readonly<Record<string, unknown>>

  constructor(fault: UpstreamFault, message: string, facts: Readonly<Record<string, unknown>> = {}) {
    super(message)
    this.fault = fault
    this.facts = facts
  }
}

/** What all upstreams say of an error that says no more than this. */
export const awayError = (name: string, facts: Readonly<Record<string, unknown>>) =>
  new UpstreamError('away', `${name} cannot be reached just now. Try again in a moment.`, facts)
