/** Hands short-lived state to a caller and takes it back unread and unchanged. */
export interface Sealer {
  seal(claims: Readonly<Record<string, unknown>>, ttlSeconds: number): Promise<string>
  /** The claims, or null when the text is not ours, was changed, is for another purpose, or is too old. */
  open(sealed: string): Promise<Readonly<Record<string, unknown>> | null>
}
