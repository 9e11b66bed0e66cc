/** A real Chromium for the pages: Debian's package, driven by playwright-core, with everything that it should not do. */
import { access } from 'node:fs/promises'
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const PROGRAMS = ['/usr/bin/chromium', '/usr/bin/chromium-browser']

const ARGS = [
  // Tests run as root in CI, where Chromium's sandbox does not.
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** The installed Chromium; or why there is none, for the message of a skipped test. */
export async function findChromium(): Promise<{ program: string } | { missing: string }> {
  for (const program of PROGRAMS) {
    const isThere = await access(program).then(
      () => true,
      () => false,
    )
    if (isThere) return { program }
  }
  return { missing: `Chromium is not installed (Debian: apt-get install chromium; looked for ${PROGRAMS.join(', ')})` }
}

export function launchChromium(program: string): Promise<Browser> {
  return chromium.launch({ executablePath: program, args: ARGS })
}

export interface Window {
  readonly context: BrowserContext
  readonly page: Page
  /**
   * What the pages did that none of ours may do: a breach of the content security policy or anything else on the console,
   * a script's error, a request to another origin, a part that did not load.
   */
  readonly faults: string[]
}

/** A window of its own, with its own cookies. @param origins where its pages may load from and lead to */
export async function openWindow(
  browser: Browser,
  origins: readonly string[],
  options: BrowserContextOptions = {},
): Promise<Window> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
  const faults: string[] = []
  context.on('console', (message) => {
    // Chromium tells there of every page whose status is an error, too.
    const isOwnStatus =
      message.text().startsWith('Failed to load resource') && message.location().url === message.page()?.url()
    if (!isOwnStatus) faults.push(`console: ${message.type()} ${message.text()}`)
  })
  context.on('weberror', (error) => void faults.push(`script: ${error.error().message}`))
  context.on('request', (request) => {
    const url = new URL(request.url())
    if (/^https?:$/.test(url.protocol) && !origins.includes(url.origin)) faults.push(`request: ${url.href}`)
  })
  context.on('response', (response) => {
    if (response.status() >= 400 && !response.request().isNavigationRequest()) {
      faults.push(`part: ${response.status()} ${response.url()}`)
    }
  })
  return { context, page: await context.newPage(), faults }
}
