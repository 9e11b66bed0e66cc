import { isIP, isIPv6 } from 'node:net'
import type { Context } from 'hono'

/**
 * Whose request this is, for limits by address: the peer, or behind a trusted proxy the last address that the proxy
 * itself added to X-Forwarded-For (everything before it was written by the caller). IPv6 counts by /64, which is what
 * one customer has.
 */
export function clientAddress(c: Context, trustProxy: boolean): string {
  const forwarded = trustProxy ? c.req.header('x-forwarded-for')?.split(',').at(-1)?.trim() : undefined
  const address = forwarded !== undefined && isIP(forwarded) !== 0 ? forwarded : (peerAddress(c.env) ?? 'unknown')
  return isIPv6(address) ? networkOf(address) : address
}

/** @hono/node-server puts Node's request into the environment; in-process requests have none. */
export function peerAddress(env: unknown): string | undefined {
  if (typeof env !== 'object' || env === null || !('incoming' in env)) return undefined
  const { incoming } = env
  if (typeof incoming !== 'object' || incoming === null || !('socket' in incoming)) return undefined
  const { socket } = incoming
  if (typeof socket !== 'object' || socket === null || !('remoteAddress' in socket)) return undefined
  return typeof socket.remoteAddress === 'string' ? socket.remoteAddress : undefined
}

function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  const [head = '', tail] = address.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const groups =
    tail === undefined ? left : [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right]
  return `${groups.slice(0, 4).join(':')}::/64`
}
