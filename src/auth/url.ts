/** An absolute URL, or relative to `base`; null instead of an exception (URL.parse, which Node 20 lacks). */
export function parseUrl(text: string, base?: string): URL | null {
  return URL.canParse(text, base) ? new URL(text, base) : null
}
