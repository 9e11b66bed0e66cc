import type { Dialect } from '../dialects/dialect.ts'

/** Where one client lives for one run: a home, a checkout and a model provider of its own. */
export interface Place {
  readonly home: string
  readonly checkout: string
  readonly modelUrl: string
  readonly mcpUrl: string
}

/** A real coding agent: its own commands, and how its output and files are to be read. */
export interface CodingClient {
  readonly name: string
  /** Where it lives in the run's folder. */
  readonly folder: string
  /** The agentIds that the server gives its sessions: the tool's family and four base32 characters. */
  readonly agentId: RegExp
  /** How it names itself to the person who is asked for consent. */
  readonly consentName: RegExp
  readonly dialect: Dialect
  /** Settings that the person has before Orkestrate: the model, permissions, no telemetry and no updates. */
  prepare(place: Place): void
  env(place: Place): Record<string, string>
  readonly commands: {
    add(place: Place): string[]
    /** Empty where adding starts the login. */
    login(place: Place): string[]
    list(place: Place): string[]
    turn(place: Place, prompt: string): string[]
    logout(place: Place): string[]
  }
  /** Some commands only work on a terminal. */
  readonly needsTerminal: ReadonlySet<keyof CodingClient['commands']>
  /** What `list` prints for a server that can be used. */
  readonly connected: RegExp
  /** What the client's store of tokens is called, under its home. */
  readonly credentialsFile: string
  /** The command that tells the user when the server takes none of its tokens any more, and how. */
  readonly signedOut: { readonly command: 'list' | 'turn'; readonly says: RegExp }
  /** True when `logout` revokes at the server, not just forgets. */
  readonly isLogoutRevoking: boolean
}
