import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { ScriptedBrowser } from '../support/browser.ts'

/** The person's desk: programs ask it to open an address, and the browser on it goes through the authorization. */
export interface Desktop {
  /** Holds `xdg-open`; goes first on the PATH of every client, and into BROWSER. */
  readonly binFolder: string
  readonly opener: string
  /** Which browser opens addresses from now on. */
  use(browser: ScriptedBrowser): void
  /** Where each opened address led since the last `use`; rejects with what went wrong there. */
  arrivals(): Promise<string[]>
  close(): void
}

const openerSource = (port: number): string => `#!${process.execPath}
fetch('http://127.0.0.1:${port}/', { method: 'POST', body: process.argv.at(-1) }).catch(() => process.exit(1))
`

/** `folder` is created. The opener returns at once, as xdg-open does; the browser works on. */
export async function startDesktop(folder: string): Promise<Desktop> {
  let browser: ScriptedBrowser | undefined
  let visits: Promise<string>[] = []
  const server = createServer((request, response) => {
    void (async () => {
      const url = await text(request)
      const visit = browser ? browser.authorize(url) : Promise.reject(new Error(`No browser for ${url}`))
      // Looked at in `arrivals`; until then a failure must not end the process.
      visit.catch(() => undefined)
      visits.push(visit)
      response.end()
    })()
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The desktop listens on no port')
  mkdirSync(folder, { recursive: true })
  const opener = join(folder, 'xdg-open')
  writeFileSync(opener, openerSource(address.port))
  chmodSync(opener, 0o755)
  return {
    binFolder: folder,
    opener,
    use(next) {
      browser = next
      visits = []
    },
    arrivals: () => Promise.all(visits),
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
