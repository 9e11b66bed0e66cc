import { expect } from 'vitest'
import { ACCOUNT_LOG, type ChainedEntry, verifyChain } from '../../src/journal/chain.ts'
import { accountLog } from '../support/account-log.ts'
import type { TestApp } from '../support/app.ts'
import {
  enter,
  type FetchLike,
  formTo,
  type ObtainedTokens,
  obtainTokens,
  type Visitor,
  visitor,
} from '../support/oauth.ts'
import { restClient, type RestClient } from '../support/rest.ts'

export const HERE = '203.0.113.7'

export interface AuditedPerson {
  readonly userId: string
  readonly person: { email: string; name: string; password: string }
  readonly browser: Visitor
  /** REST in that browser. */
  readonly rest: RestClient
  /** A new client, let in by that browser. */
  connect(): Promise<ObtainedTokens>
  /** What came on record since this was last asked. */
  news(): Promise<ChainedEntry[]>
}

/** People of an app behind a proxy, whose account logs are looked at. @param app once it is there */
export function auditedPeople(app: () => TestApp) {
  /** As a proxy in front says where it comes from. */
  const from =
    (address: string): FetchLike =>
    (url, init) => {
      const headers = new Headers(init?.headers)
      headers.set('x-forwarded-for', address)
      return app().fetch(url, { ...init, headers })
    }

  let people = 0
  async function somebody(): Promise<AuditedPerson> {
    people += 1
    const who = { email: `p${people}@example.org`, name: `P${people}`, password: `a long password of P${people}` }
    const browser = visitor(from(HERE), app().publicUrl)
    await enter(browser, who)
    const user = await app().app.auth.browserUser(
      new Request(app().publicUrl, { headers: { cookie: browser.cookie() } }),
    )
    const userId = user?.userId ?? ''
    let seen = 0
    return {
      userId,
      person: who,
      browser,
      get rest() {
        return restClient(from(HERE), { cookie: browser.cookie(), 'sec-fetch-site': 'same-origin' })
      },
      connect: () =>
        obtainTokens(from(HERE), { publicUrl: app().publicUrl, person: who, browser, clientName: 'Claude Code' }),
      async news() {
        await app().app.auth.close()
        const all = await accountLog(app().database, userId)
        const fresh = all.slice(seen)
        seen = all.length
        return fresh
      },
    }
  }

  const holds = async (who: AuditedPerson) => {
    const log = await accountLog(app().database, who.userId)
    expect(await verifyChain(log, { kind: ACCOUNT_LOG, id: who.userId })).toMatchObject({
      ok: true,
      events: log.length,
    })
  }

  return { from, somebody, holds }
}

export const typesOf = (entries: readonly ChainedEntry[]) => entries.map(({ type }) => type)
export const said = (entries: readonly ChainedEntry[]) =>
  entries.map(({ type, actor, payload }) => [type, actor, payload])
export const csrfIn = async (browser: Visitor, path: string) => {
  const page = await browser.open(path)
  return page.forms.flatMap(({ controls }) => controls).find(({ name }) => name === 'csrf')?.value ?? ''
}
export const press = async (browser: Visitor, path: string, action: string, values: Record<string, string> = {}) => {
  const page = await browser.open(path)
  return browser.submit(page, formTo(page, action), values)
}
