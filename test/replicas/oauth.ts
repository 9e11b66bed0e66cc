/** Signing in and staying signed in where no two requests reach the same replica. */
import { createAgent } from '../support/agent.ts'
import { type FetchLike, type ObtainedTokens, obtainTokens, postForm, tokensOf } from '../support/oauth.ts'
import { alternating, pastTheProxy } from './past-the-proxy.ts'
import { expectNone, type Scenario } from './scenario.ts'
import type { Stage } from './stage.ts'

const ROUNDS = 4
const REFRESHES = 6

export const oauth: Scenario = {
  subject: 'OAuth',
  guarantee: 'a sign-in goes on where it is: register, authorize, code, token, refresh on alternating replicas',
  async play(stage) {
    const violations: string[] = []
    for (let round = 0; round < ROUNDS; round += 1) {
      const tokens = await signIn(stage, `Round${round}`, alternating(stage, round % 2))
      violations.push(...(await useEverywhere(stage, tokens.accessToken)))
      violations.push(...(await refresh(stage, tokens)))
    }
    violations.push(...(await redeemTwice(stage)))
    expectNone(violations)
    return `${ROUNDS} sign-ins, ${ROUNDS * REFRESHES} refreshes, each asked again elsewhere, and a code presented to both at once`
  },
}

function signIn({ publicUrl }: Stage, name: string, fetchLike: FetchLike): Promise<ObtainedTokens> {
  const person = { email: `${name.toLowerCase()}@example.org`, name, password: `a long password of ${name}` }
  return obtainTokens(fetchLike, { publicUrl, person })
}

async function useEverywhere(stage: Stage, accessToken: string): Promise<string[]> {
  const violations: string[] = []
  for (const index of stage.replicas.keys()) {
    const agent = createAgent(
      pastTheProxy(stage, () => index),
      `${stage.publicUrl}/api/mcp`,
      accessToken,
    )
    const { status } = await agent.post({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} })
    if (status !== 200) violations.push(`replica ${index + 1} answered ${status} to a new access token`)
  }
  return violations
}

/** Each new token is used at the other replica; whoever missed the answer asks there again and gets the same. */
async function refresh(stage: Stage, first: ObtainedTokens): Promise<string[]> {
  const violations: string[] = []
  const ask = (index: number, refresh_token: string) =>
    postForm(
      pastTheProxy(stage, () => index),
      `${stage.publicUrl}/api/oauth/token`,
      {
        grant_type: 'refresh_token',
        client_id: first.clientId,
        refresh_token,
      },
    ).then(tokensOf)
  let { refreshToken } = first
  for (let count = 0; count < REFRESHES; count += 1) {
    const here = count % 2
    const isRace = count >= REFRESHES / 2
    const one = ask(here, refreshToken)
    if (!isRace) await one
    const [successor, again] = await Promise.all([one, ask(1 - here, refreshToken)])
    if (successor.refreshToken !== again.refreshToken) violations.push('one refresh token has two successors')
    violations.push(...(await useEverywhere(stage, successor.accessToken)))
    refreshToken = successor.refreshToken
  }
  return violations
}

/** RFC 6749 §4.1.2: a code is good once. */
async function redeemTwice(stage: Stage): Promise<string[]> {
  const statuses: number[] = []
  const walk = alternating(stage, 0)
  const both: FetchLike = async (url, init) => {
    if (new URL(url).pathname !== '/api/oauth/token') return walk(url, init)
    const answers = await Promise.all(
      stage.replicas.map(async (_, index) => pastTheProxy(stage, () => index)(url, init)),
    )
    statuses.push(...answers.map(({ status }) => status))
    return answers.find(({ status }) => status === 200) ?? new Response('no replica gave tokens', { status: 400 })
  }
  await signIn(stage, 'Twice', both)
  return statuses.filter((status) => status === 200).length === 1 && statuses.includes(400)
    ? []
    : [`a code that was presented to both replicas at once was answered ${statuses.join(' and ')}`]
}
