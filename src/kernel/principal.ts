/** What a token may be used for. Read tools need `mcp:read`, write tools `mcp:write`. */
export const SCOPES = ['mcp:read', 'mcp:write'] as const
export type Scope = (typeof SCOPES)[number]

/** Who is calling, as proven by an access token. Holds no secret. */
export interface Principal {
  readonly userId: string
  /** The person's display name, shown to teammates. */
  readonly userName: string
  /** The consent this token came from; agent sessions hang on it and end with it. */
  readonly grantId: string
  readonly clientId: string
  /** What the OAuth client called itself; untrusted text, used to name the agent's tool family. */
  readonly clientName: string
  readonly scopes: readonly Scope[]
  /** The only workspace that the token opens; null for all of the person's. */
  readonly workspaceId: string | null
}
