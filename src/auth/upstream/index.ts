/**
 * Signing in elsewhere: an OpenID Connect issuer, or Supabase Auth with Google behind it.
 *
 * What always holds: an upstream says who somebody is (issuer and subject) and how they are called, once, at sign-in.
 * Its tokens are verified, read and forgotten; none is stored and none opens anything here. Nothing waits for an
 * upstream but the people who sign in there.
 */
import type { Config } from '../../config.ts'
import { createOidc } from './oidc.ts'
import { createSupabase } from './supabase.ts'
import type { Upstream } from './upstream.ts'

export { type Trip, type Upstream, UpstreamError, type UpstreamPerson } from './upstream.ts'

/** Where people may sign in, in the order of the buttons. */
export function createUpstreams({ publicUrl, oidc, supabase }: Config): readonly Upstream[] {
  const callback = (id: Upstream['id']) => `${publicUrl}/auth/callback/${id}`
  return [
    ...(oidc === undefined ? [] : [createOidc(oidc, callback('oidc'))]),
    ...(supabase === undefined ? [] : [createSupabase(supabase, callback('supabase'))]),
  ]
}
