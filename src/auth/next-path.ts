import { parseUrl } from './url.ts'

/**
 * Where to go on after signing in: `next` if it is a path on our own origin (S-39), else `/`. The address is resolved as
 * a browser would, because `//evil`, `/\evil`, a tab before a slash and `/.//evil` all lead elsewhere.
 */
export function safeNext(next: string | undefined, publicUrl: string): string {
  if (next === undefined || !next.startsWith('/') || /[\\\p{C}]/u.test(next)) return '/'
  const url = parseUrl(next, publicUrl)
  if (url === null || url.origin !== publicUrl || url.pathname.startsWith('//')) return '/'
  return url.pathname + url.search
}

/** Where a person sees and changes how they sign in. */
export const PASSWORD_PATH = '/account/password'

/** The address of one of our pages that goes on at `next`. */
export function pathWithNext(path: '/login' | '/logout', next: string): string {
  return `${path}?${new URLSearchParams({ next }).toString()}`
}
