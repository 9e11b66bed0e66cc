import { SCOPES, type Scope } from '../kernel/principal.ts'

/**
 * What an authorization request may be granted. Scopes that we do not know are dropped without an error: Codex and
 * Gemini ask for everything they ever saw, Claude adds `offline_access`. Where nothing is left, or nothing was asked
 * for (the conformance suite; OpenCode without a challenge), it is all of ours: with less, an agent could not take part
 * at all, and the person sees on the consent page what they give.
 */
export function grantableScopes(requested: string | undefined): readonly Scope[] {
  const asked = new Set((requested ?? '').split(' '))
  const known = SCOPES.filter((scope) => asked.has(scope))
  return known.length > 0 ? known : SCOPES
}

/** The scopes of a refreshed access token: those of the grant, or fewer; null when the client asks for more (S-24). */
export function narrowedScopes(requested: string | undefined, granted: readonly Scope[]): readonly Scope[] | null {
  if (requested === undefined) return granted
  const asked = requested.split(' ').filter((scope) => scope !== '')
  if (!asked.every((scope) => granted.some((own) => own === scope))) return null
  const narrowed = granted.filter((scope) => asked.includes(scope))
  return narrowed.length > 0 ? narrowed : granted
}

/** In the one order, as the wire has it. */
export function scopeText(scopes: readonly string[]): string {
  return SCOPES.filter((scope) => scopes.includes(scope)).join(' ')
}
