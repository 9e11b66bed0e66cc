/**
 * How the pages look and read, in a real Chromium: each in light and dark, on a phone, on a desktop, at 200 %, and with
 * the longest and strangest names. `SCREENSHOTS=<directory>` keeps the pictures.
 */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAdaptorServer } from '@hono/node-server'
import axe from 'axe-core'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { findChromium, launchChromium, openWindow, type Window } from '../support/chromium.ts'
import { portOf } from '../support/server-process.ts'
import { GALLERY, gallery } from './gallery.tsx'

const SIZES = {
  phone: { width: 360, height: 740 },
  desktop: { width: 1280, height: 800 },
  // The desktop's window at 200 %, and the narrowest that has to work without scrolling sideways (WCAG 1.4.10).
  'desktop at 200 %': { width: 640, height: 400 },
  narrowest: { width: 320, height: 256 },
} as const

const found = await findChromium()
const look = await readFile(new URL('../support/page-look.js', import.meta.url), 'utf8')
const server = createAdaptorServer({ fetch: gallery('http://127.0.0.1').fetch })
const keep = process.env['SCREENSHOTS']
let pictures: string
let browser: Browser
let origin: string
/** For what runs in the page; the policy would forbid axe. */
let inspected: Window

beforeAll(async () => {
  if ('missing' in found) return
  pictures = keep ?? (await mkdtemp(join(tmpdir(), 'ork-pages-')))
  await mkdir(pictures, { recursive: true })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${portOf(server)}`
  browser = await launchChromium(found.program)
  inspected = await openWindow(browser, [origin], { bypassCSP: true })
})
afterAll(async () => {
  await browser?.close()
  server.close()
  if (keep === undefined && pictures !== undefined) await rm(pictures, { recursive: true, force: true })
})
beforeEach((context) => {
  if ('missing' in found) context.skip(found.missing)
})

/** Rules that axe finds broken, each with where. @param rules the names of some; all by default */
async function broken({ page }: Window, rules?: readonly string[]): Promise<string[]> {
  const options = rules === undefined ? {} : { runOnly: rules }
  const { violations, incomplete } = await page.evaluate<axe.AxeResults>(`axe.run(${JSON.stringify(options)})`)
  // What axe cannot decide about contrast is text on pictures or gradients, which we do not have.
  const undecided = incomplete.filter(({ id }) => id === 'color-contrast')
  return [...violations, ...undecided].map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}

/** The reference of REST is a page of many screens: most of a minute on a machine that has much else to do. */
const SLOWEST_PICTURE_MS = 120_000

test.each(GALLERY)('%s looks right at every size, and reads well in light and dark', async (name) => {
  const { page, faults } = inspected
  await page.goto(`${origin}/${name}`)
  const wrong: Record<string, string[]> = {}
  for (const [size, viewport] of Object.entries(SIZES)) {
    await page.setViewportSize(viewport)
    wrong[size] = await page.evaluate<string[]>(look)
    if (viewport.height < 700) continue
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      await page.screenshot({
        path: join(pictures, `${name}-${size}-${colorScheme}.png`),
        fullPage: true,
        timeout: SLOWEST_PICTURE_MS,
      })
    }
  }
  await page.evaluate('document.documentElement.style.fontSize = "32px"')
  wrong['text at 200 %'] = await page.evaluate<string[]>(look)
  expect(Object.entries(wrong).filter(([, faults]) => faults.length > 0)).toEqual([])

  await page.evaluate('document.documentElement.style.fontSize = ""')
  await page.evaluate(axe.source)
  // The colours are all that the dark changes.
  expect(await broken(inspected, ['color-contrast'])).toEqual([])
  await page.emulateMedia({ colorScheme: 'light' })
  expect(await broken(inspected)).toEqual([])
  expect(faults).toEqual([])
})

test('with forced colours everything that can be pressed still has an edge', async () => {
  const { page } = inspected
  await page.setViewportSize(SIZES.phone)
  await page.emulateMedia({ forcedColors: 'active' })
  await page.goto(`${origin}/connections-many`)
  await page.screenshot({ path: join(pictures, 'connections-many-forced.png'), fullPage: true })
  const edges = await page.evaluate<string[]>(`
    [...document.querySelectorAll('button, .button, main')].map((element) => {
      const { borderTopStyle, borderTopWidth, borderTopColor, backgroundColor } = getComputedStyle(element)
      return [borderTopStyle, borderTopWidth, borderTopColor !== backgroundColor].join(' ')
    })`)
  expect(edges.length).toBeGreaterThan(4)
  expect(new Set(edges)).toEqual(new Set(['solid 1px true']))
  await page.emulateMedia({ forcedColors: 'none' })
})

test('nothing moves, whatever the reader prefers', async () => {
  await inspected.page.goto(`${origin}/consent-first`)
  const moving = await inspected.page.evaluate<unknown[]>(`
    [...document.querySelectorAll('*')].filter((element) => {
      const { transitionDuration, animationName } = getComputedStyle(element)
      return transitionDuration !== '0s' || animationName !== 'none'
    }).map((element) => element.outerHTML)`)
  expect(moving).toEqual([])
})

test('under the policy that is in force pages load our stylesheet and icon and nothing else, and nothing is refused', async () => {
  const { page, context, faults } = await openWindow(browser, [origin])
  const loaded = new Set<string>()
  context.on('request', (request) => void loaded.add(new URL(request.url()).pathname))
  for (const name of GALLERY) {
    await page.goto(`${origin}/${name}`)
    // The stylesheet is in force: the policy lets it through.
    expect(await page.evaluate('getComputedStyle(document.querySelector("main")).borderTopStyle')).toBe('solid')
  }
  const parts = [...loaded].filter((path) => !GALLERY.includes(path.slice(1)))
  expect(parts).toContain('/assets/style.css')
  expect(parts.filter((path) => !['/assets/style.css', '/assets/icon.svg'].includes(path))).toEqual([])
  expect(faults).toEqual([])
  await context.close()
})

test('a breach of the policy would be noticed', async () => {
  const { page, context, faults } = await openWindow(browser, [origin])
  await page.goto(`${origin}/done`)
  await page.evaluate(`
    document.body.insertAdjacentHTML('beforeend', '<img src="http://127.0.0.1:9/x.png"><p style="color: red">x</p>')
    document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.ran = true' }))`)
  await expect.poll(() => faults.length).toBeGreaterThanOrEqual(3)
  expect(await page.evaluate('window.ran')).toBeUndefined()
  await context.close()
})
