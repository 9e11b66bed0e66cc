import { beforeEach, describe, expect, test } from 'vitest'
import { type ClientDocuments, createClientDocuments } from '../../src/auth/client-documents.ts'
import type { GuardedAnswer } from '../../src/auth/guarded-fetch.ts'
import { deferred } from '../support/deferred.ts'

// How often other people's servers are asked, and what is remembered of them (S-45; CIMD §5.2, §9.1).

const ID = 'https://client.example/c.json'
const CALLBACK = 'http://localhost/callback'

let now: number
let fetched: string[]
let reasons: string[]
let answer: (url: URL) => Promise<GuardedAnswer>
let documents: ClientDocuments
beforeEach(() => {
  now = 0
  fetched = []
  reasons = []
  answer = async (url) => served(url.href)
  const fetch = (url: URL) => {
    fetched.push(url.href)
    return answer(url)
  }
  const ignore = () => undefined
  const warn = (facts: object) => void reasons.push('reason' in facts ? String(facts.reason) : '')
  documents = createClientDocuments(fetch, { debug: ignore, info: ignore, warn, error: ignore }, () => now)
})

/** A good document for this client id. */
function served(client_id: string, name = 'Client', headers: GuardedAnswer['headers'] = {}): GuardedAnswer {
  const body = Buffer.from(JSON.stringify({ client_id, client_name: name, redirect_uris: [CALLBACK] }))
  return { status: 200, headers: { 'content-type': 'application/json', ...headers }, body }
}

const failing = async () => Promise.reject(new Error('connect ECONNREFUSED'))

describe('a good document is remembered', () => {
  test('for a minute where it says nothing, whoever asks; then it is asked for again, and its change is seen', async () => {
    expect(await documents.find(ID, 'ada')).toEqual({ name: 'Client', redirectUris: [CALLBACK] })
    answer = async () => served(ID, 'Renamed')
    now = 59_999
    expect(await documents.find(ID, 'bob')).toMatchObject({ name: 'Client' })
    expect(fetched).toHaveLength(1)
    now = 60_000
    expect(await documents.find(ID, 'bob')).toMatchObject({ name: 'Renamed' })
    expect(fetched).toHaveLength(2)
  })

  test('for as long as it says', async () => {
    answer = async () => served(ID, 'Client', { 'cache-control': 'max-age=600' })
    await documents.find(ID, 'ada')
    now = 599_999
    await documents.find(ID, 'ada')
    expect(fetched).toHaveLength(1)
    now = 600_000
    await documents.find(ID, 'ada')
    expect(fetched).toHaveLength(2)
  })

  test('and not beyond that when its host is away', async () => {
    await documents.find(ID, 'ada')
    now = 60_000
    answer = failing
    expect(await documents.find(ID, 'ada')).toBeNull()
  })

  test('of which there are at most 1,000', async () => {
    for (let count = 0; count <= 1_000; count += 1) {
      await documents.find(`https://client.example/${count}`, `person ${count % 100}`)
    }
    expect(fetched).toHaveLength(1_001)
    await documents.find('https://client.example/1', 'ada')
    expect(fetched).toHaveLength(1_001)
    await documents.find('https://client.example/0', 'ada')
    expect(fetched).toHaveLength(1_002)
  })
})

describe('a failure is never remembered as an answer', () => {
  test.each<[string, typeof answer]>([
    ['of the host', failing],
    ['of the document', async () => ({ ...served(ID), status: 404 })],
    ['whatever its headers say', async () => ({ ...served(ID, 'x', { 'cache-control': 'max-age=600' }), status: 404 })],
  ])('%s: after ten seconds the host is asked again', async (_, fail) => {
    answer = fail
    expect(await documents.find(ID, 'ada')).toBeNull()
    answer = async () => served(ID)
    now = 9_999
    expect(await documents.find(ID, 'ada')).toBeNull()
    expect(fetched).toHaveLength(1)
    now = 10_000
    expect(await documents.find(ID, 'ada')).not.toBeNull()
  })

  test('until then none of that host’s documents is asked for by the same person; others are, and by others', async () => {
    answer = failing
    await documents.find(ID, 'ada')
    answer = async (url) => served(url.href)
    expect(await documents.find('https://client.example/other', 'ada')).toBeNull()
    expect(fetched).toEqual([ID])
    expect(await documents.find('https://other.example/c.json', 'ada')).not.toBeNull()
    // Nobody can shut others out of a client by asking its host for nonsense.
    expect(await documents.find(ID, 'bob')).not.toBeNull()
    expect(await documents.find(ID, 'ada')).not.toBeNull()
  })
})

describe('what can be asked at once is bounded', () => {
  test('many who want the same document wait for one fetch', async () => {
    const gate = deferred()
    answer = async () => {
      await gate.promise
      return served(ID)
    }
    const waiting = Array.from({ length: 50 }, (_, index) => documents.find(ID, `person ${index}`))
    gate.resolve()
    const found = await Promise.all(waiting)
    expect(found.every((description) => description?.name === 'Client')).toBe(true)
    expect(fetched).toEqual([ID])
  })

  test('a fetch that fails is over for all who waited, and the next one is a new one', async () => {
    const gate = deferred()
    answer = async () => {
      await gate.promise
      throw new Error('reset')
    }
    const waiting = [documents.find(ID, 'ada'), documents.find(ID, 'bob')]
    gate.resolve()
    expect(await Promise.all(waiting)).toEqual([null, null])
    answer = async () => served(ID)
    expect(await documents.find(ID, 'bob')).not.toBeNull()
  })

  test('sixteen fetches are under way at the most; what is known is found all the same', async () => {
    await documents.find(ID, 'ada')
    const gate = deferred()
    answer = async (url) => {
      await gate.promise
      return served(url.href)
    }
    const slow = Array.from({ length: 16 }, (_, index) => documents.find(`https://slow.example/${index}`, 'eve'))
    expect(await documents.find('https://slow.example/16', 'ada')).toBeNull()
    expect(reasons).toEqual(['too many fetches are under way'])
    expect(await documents.find(ID, 'bob')).not.toBeNull()
    gate.resolve()
    expect((await Promise.all(slow)).every((description) => description !== null)).toBe(true)
    expect(await documents.find('https://slow.example/16', 'ada')).not.toBeNull()
  })

  test('a person causes a hundred fetches an hour', async () => {
    for (let count = 0; count < 100; count += 1) await documents.find(`https://client.example/${count}`, 'eve')
    expect(await documents.find('https://client.example/100', 'eve')).toBeNull()
    expect(fetched).toHaveLength(100)
    expect(await documents.find('https://client.example/100', 'ada')).not.toBeNull()
    now = 3_600_000
    expect(await documents.find('https://client.example/101', 'eve')).not.toBeNull()
  })
})
