import type { Json } from './canonical.ts'

// Calls as the docs show them: for curl, where whatever differs from person to person is a variable of the shell, and for
// the OpenAPI document, where it is a sample.

/** A call as the docs show it. A text that begins with `$` in it is such a variable: `$WORKSPACE_ID`. */
export interface Example {
  readonly title: string
  readonly query?: Readonly<Record<string, string>>
  readonly body?: Json
  /** It has to be confirmed. */
  readonly previewed?: boolean
}

/** What of an operation its examples are made of. */
export interface Exemplified {
  readonly method: string
  /** With `:name` where a parameter is. */
  readonly path: string
  readonly callers: string
  readonly examples: readonly Example[]
}

const ID = 'abcdefghijklmnopqrstuv2345'

/** By variable. */
const SAMPLES: Readonly<Record<string, string>> = {
  WORKSPACE_ID: `ws_${ID}`,
  USER_ID: `usr_${ID}`,
  INVITE_ID: `inv_${ID}`,
  INVITE_SECRET: 'ork_inv_abcdefghijklmnopqrstuvwxyz234567',
  REPO_ID: `rep_${ID}`,
  SESSION_ID: `ses_${ID}`,
  CLAIM_ID: `clm_${ID}`,
  TOKEN_ID: `pat_${ID}`,
  CONNECTION_ID: `gr_${ID}`,
  KEY: 'theme',
}

/** The shell's variable for a parameter of a path: `workspaceId` → `WORKSPACE_ID`. */
function variableOf(parameter: string): string {
  return parameter.replace(/[A-Z]/gu, '_$&').toUpperCase()
}

/** What may stand for a parameter of a path; undefined where there is no sample. */
export function sampleOfParameter(parameter: string): string | undefined {
  return SAMPLES[variableOf(parameter)]
}

/** The body of an example with samples in the place of variables. */
export function withSamples(body: Json): Json {
  const json: Json = JSON.parse(JSON.stringify(body), (_key, value: unknown) =>
    typeof value === 'string' && value.startsWith('$') ? (SAMPLES[value.slice(1)] ?? value) : value,
  )
  return json
}

/**
 * The commands of an example, to be run one after the other: two where it is previewed and then confirmed.
 *
 * @param base what stands before the path: an address, or a variable that holds one
 */
export function curlOf({ method, path, callers }: Exemplified, example: Example, base: string): string[] {
  const { query = {}, body, previewed = false } = example
  const where = path.replace(/:(\w+)/gu, (_all, name: string) => `$${variableOf(name)}`)
  const asked = new URLSearchParams(query).toString()
  const url = `"${base}${where}${asked === '' ? '' : `?${asked}`}"`
  const who = callers === 'browser' ? '-b cookies.txt' : '-H "Authorization: Bearer $TOKEN"'
  const verb = method === 'GET' || (method === 'POST' && body !== undefined) ? [] : [`-X ${method}`]
  const said = body === undefined ? [] : [`--json ${quoted(body)}`]
  const command = (...more: string[]) => ['curl', ...verb, who, ...more, ...said, url].join(' ')
  return previewed ? [command(), command('-H "Confirm-Token: $CONFIRM_TOKEN"')] : [command()]
}

/** JSON as an argument in the shell: what is in single quotes it leaves alone, so variables stand outside of them. */
function quoted(body: Json): string {
  return `'${JSON.stringify(body)
    .replaceAll("'", "'\\''")
    .replace(/"(\$[A-Z_]+)"/gu, '"\'$1\'"')}'`
}

/** How a person signs in with curl, for what no token may do: the session is in cookies.txt. */
export function signInCommand(base: string): string {
  return `curl -c cookies.txt --data-urlencode "email=$EMAIL" --data-urlencode "password=$PASSWORD" "${base}/login"`
}
