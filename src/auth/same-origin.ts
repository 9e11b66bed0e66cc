import { AppError } from '../kernel/errors.ts'

/**
 * Refuses what another site made a browser send (S-33). Browsers say so in Sec-Fetch-Site; Origin decides only where that
 * is missing, since under our `Referrer-Policy: no-referrer` a page posts `Origin: null` even to its own server (Fetch
 * §3.2). A request with neither comes from no browser that holds somebody's cookies. The same order as Go's
 * http.CrossOriginProtection; SameSite=Lax and the sealed consent stand beside it.
 *
 * @throws AppError FORBIDDEN_ORIGIN
 */
export function requireSameOrigin(request: Request, publicUrl: string): void {
  const site = request.headers.get('sec-fetch-site')
  if (site === 'same-origin' || site === 'none') return
  const origin = request.headers.get('origin')
  if (site === null && (origin === null || origin === publicUrl)) return
  throw new AppError('FORBIDDEN_ORIGIN', 'This was sent from another site. Open the page here and try again.')
}
