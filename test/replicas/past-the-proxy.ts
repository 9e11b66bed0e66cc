import type { FetchLike } from '../support/oauth.ts'
import { patient } from './patient.ts'
import type { Stage } from './stage.ts'

/** `fetch` of the public address that goes straight to a replica: the one that `choose` names for each request. */
export function pastTheProxy({ publicUrl, replicas }: Stage, choose: () => number): FetchLike {
  return patient((url, init) => {
    const asked = new URL(url, publicUrl)
    return fetch(new URL(`${asked.pathname}${asked.search}`, originOf(replicas, choose())).href, init)
  })
}

export function originOf(replicas: Stage['replicas'], index: number): string {
  const origin = replicas[index]?.origin
  if (origin === undefined) throw new Error(`there is no replica ${index + 1}`)
  return origin
}

/** Every request goes to another replica than the one before; the first to `first`. */
export function alternating(stage: Stage, first: number): FetchLike {
  let next = first
  return pastTheProxy(stage, () => {
    const index = next % stage.replicas.length
    next += 1
    return index
  })
}
