import { expect } from 'vitest'
import { createAgent, type Agent } from './agent.ts'
import type { TestApp } from './app.ts'
import { restClient, type RestAnswer, type RestClient } from './rest.ts'

/** Somebody with a token, for REST and for an agent. */
export interface Person {
  readonly rest: RestClient
  readonly agent: Agent
  readonly userId: string
}

/** A workspace of its own, with its owner, and somebody who may be let in. */
export interface Team {
  /** In every name of this team, so that no two teams share a person. */
  readonly n: number
  readonly id: string
  /** Where the workspace is. */
  readonly at: string
  readonly ada: Person
  readonly bob: Person
  readonly person: (name: string) => Promise<Person>
  readonly invite: (role?: string, more?: object) => Promise<{ secret: string; inviteId: string }>
  readonly accept: (who: Person, secret: string) => Promise<RestAnswer>
  readonly admit: (who: Person, role: string) => Promise<void>
  /** What the journal tells of, in order. */
  readonly types: () => Promise<string[]>
}

let teams = 0

export async function freshTeam(t: TestApp): Promise<Team> {
  teams += 1
  const n = teams
  const person = async (name: string): Promise<Person> => {
    const { accessToken } = await t.login(name)
    const [row] = await t.database.query((orm) =>
      orm.execute<{ id: string }>(`select id from users where email = '${name.toLowerCase()}@example.org'`),
    )
    return {
      rest: restClient(t.fetch, { authorization: `Bearer ${accessToken}` }),
      agent: createAgent(t.fetch, `${t.publicUrl}/api/mcp`, accessToken),
      userId: row?.id ?? '',
    }
  }
  const [ada, bob] = [await person(`Ada${n}`), await person(`Bob${n}`)]
  const repoUrl = 'git@github.com:acme/widgets.git'
  const id = (await ada.rest.post('/api/workspaces', { name: 'Widgets', repoUrl })).body.workspace.id
  const at = `/api/workspaces/${id}`
  const invite: Team['invite'] = async (role = 'member', more = {}) => {
    const { body } = await ada.rest.post(`${at}/invites`, { role, ...more })
    return { secret: body.link.split('/').at(-1), inviteId: body.invite.id }
  }
  const accept: Team['accept'] = (who, secret) => who.rest.post('/api/invites/accept', { secret })
  return {
    n,
    id,
    at,
    ada,
    bob,
    person,
    invite,
    accept,
    async admit(who, role) {
      const joined = await accept(who, (await invite(role)).secret)
      expect(joined).toMatchObject({ status: 200, body: { workspace: { id, role } } })
    },
    types: async () =>
      (await ada.rest.get(`${at}/events?limit=1000`)).body.events.map((event: { type: string }) => event.type),
  }
}

/** A refusal as problem details (RFC 9457). */
export function expectRefused(answer: RestAnswer | undefined, status: number, code: string): void {
  expect(answer).toMatchObject({ status, body: { code, status } })
  expect(answer?.headers.get('content-type')).toBe('application/problem+json')
}
