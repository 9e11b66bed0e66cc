import { createHash } from 'node:crypto'
import { Hono } from 'hono'
import { ICON, STYLES } from './styles.ts'

const versionOf = (content: string) => createHash('sha256').update(content).digest('hex').slice(0, 12)

/** With the content's hash in the address, so that it may be kept forever and a new version is seen at once. */
export const STYLESHEET_PATH = `/assets/style.css?v=${versionOf(STYLES)}`
export const ICON_PATH = `/assets/icon.svg?v=${versionOf(ICON)}`

const FILES = [
  ['/assets/style.css', 'text/css; charset=utf-8', STYLES],
  ['/assets/icon.svg', 'image/svg+xml', ICON],
] as const

/** What the pages load; public, the same for everybody. */
export function assetRoutes(): Hono {
  const routes = new Hono()
  for (const [path, type, content] of FILES) {
    routes.get(path, (c) =>
      c.body(content, 200, {
        'Content-Type': type,
        'Cache-Control': 'public, max-age=31536000, immutable',
        'X-Content-Type-Options': 'nosniff',
      }),
    )
  }
  return routes
}
