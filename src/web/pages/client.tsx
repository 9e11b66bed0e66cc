import { Icon } from '../icon.tsx'

/** How far it is known who an OAuth client is. */
export type Verification =
  /** It told us its name, as anybody can. */
  | { readonly kind: 'self-registered' }
  /** Who controls this host published what it is; its name is still only their word. */
  | { readonly kind: 'metadata-document'; readonly host: string }

/** Where a client has the browser sent with the answer. */
export interface Landing {
  /** `application`: whatever program of the person's computer has taken the scheme for itself. */
  readonly kind: 'website' | 'own-computer' | 'application'
  /** Host and port, or the scheme with what follows it: `cursor://anysphere.cursor-mcp`. */
  readonly address: string
}

/**
 * A name that somebody else chose, already cleaned. Kept apart, so that right-to-left writing in it does not reorder the
 * sentence around it.
 */
export function Name({ children }: { children: string }) {
  return <bdi>{children}</bdi>
}

export function VerificationMark({ verified }: { verified: Verification }) {
  return verified.kind === 'metadata-document' ? (
    <span class="mark good">
      <Icon name="verified" />
      <span>
        Verified: its description is published at <strong>{verified.host}</strong>. The name is that site’s word.
      </span>
    </span>
  ) : (
    <span class="mark doubtful">
      <Icon name="warning" />
      <span>A client that registered itself; nobody has verified its name.</span>
    </span>
  )
}
