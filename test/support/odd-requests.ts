import { fc } from '@fast-check/vitest'
import { ENVELOPE } from './two-paths.ts'

/** Mostly what is usual, so that a request is often odd in one thing only. */
const mostly = <T>(usual: T, ...odd: T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 24, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...odd) })

/** An object's text. Members whose text is empty are left out; as text, because `__proto__` and order matter. */
const object = (members: Readonly<Record<string, fc.Arbitrary<string>>>): fc.Arbitrary<string> =>
  fc.record(members).map((texts) => {
    const said = Object.entries(texts).filter(([, text]) => text !== '')
    return `{${said.map(([key, text]) => `${JSON.stringify(key)}:${text}`).join(',')}}`
  })

const ODD_JSON = ['null', 'true', '5', '1.5', '"text"', '[]', '{}', '[{}]'] as const
const json = fc.json({ maxDepth: 2 })
const PREFIX = 'io.modelcontextprotocol/'

const progressToken = mostly('7', '', '"token"', '""', '1.5', '1e400', '9007199254740993', ...ODD_JSON)
const input = fc.oneof(
  fc.constantFrom(
    '',
    '{}',
    '{"a":1,"b":{"c":["d"]}}',
    '{"2":1,"1":2,"z":null}',
    '{"__proto__":{"x":1},"y":2}',
    ...ODD_JSON,
  ),
  json,
)

const metaOf = (modern: boolean) => {
  const claim = (usual: string, ...odd: string[]) => (modern ? mostly(usual, ...odd) : mostly('', usual, ...odd))
  return object({
    progressToken,
    [`${PREFIX}protocolVersion`]: claim(
      '"2026-07-28"',
      '',
      '"2025-11-25"',
      '"2027-01-01"',
      '" 2026-07-28"',
      ...ODD_JSON,
    ),
    [`${PREFIX}clientInfo`]: claim(
      JSON.stringify(ENVELOPE[`${PREFIX}clientInfo`]),
      '',
      '{"name":"x"}',
      '{"name":"x","version":"1","title":"t","icons":[{"src":5}]}',
      ...ODD_JSON,
    ),
    [`${PREFIX}clientCapabilities`]: claim(
      JSON.stringify(ENVELOPE[`${PREFIX}clientCapabilities`]),
      '',
      '{"roots":5}',
      '{"elicitation":{"form":5}}',
      '{"extensions":{"x":{"y":[1]}},"more":5}',
      ...ODD_JSON,
    ),
    [`${PREFIX}logLevel`]: mostly('', '"info"', '"loud"', 'null'),
    [`${PREFIX}related-task`]: mostly('', '{"taskId":"t"}', '{}', '5'),
    'claudecode/toolUseId': fc.constantFrom('', '"toolu_1"', '{"a":[]}'),
    traceparent: mostly('', '"00-1-2-01"', '5'),
    __proto__: mostly('', '{"x":1}'),
  })
}

const messageOf = (modern: boolean) => {
  const meta = fc.oneof(
    { weight: 24, arbitrary: metaOf(modern) },
    { weight: 1, arbitrary: fc.constantFrom('', ...ODD_JSON) },
  )
  const params = object({
    name: mostly('"claim_scope"', '', '"__proto__"', '"ü"', '"=?base64?Y2xhaW1fc2NvcGU=?="', ...ODD_JSON),
    arguments: input,
    _meta: meta,
    task: mostly('', '{"ttl":5}', '{}', '5'),
    inputResponses: mostly('', '{}', '5'),
    requestState: mostly('', '"state"', '5'),
    more: mostly('', ...ODD_JSON),
  })
  const message = object({
    jsonrpc: mostly('"2.0"', '', '"1.0"', '2'),
    id: fc.oneof(
      { weight: 16, arbitrary: fc.constantFrom('1', '0', '-0', '-7', '"id"', '""', '"\\u2028\\"ü"') },
      { weight: 1, arbitrary: fc.constantFrom('', '1.5', '1e3', '9007199254740993', '-1e300', ...ODD_JSON) },
    ),
    method: mostly('"tools/call"', '', '"tools/list"', '"ping"', '"tools/Call"', '"notifications/cancelled"', '5'),
    params: fc.oneof({ weight: 24, arbitrary: params }, { weight: 1, arbitrary: fc.constantFrom('', ...ODD_JSON) }),
    result: mostly('', '{}'),
    error: mostly('', '{"code":1,"message":"m"}'),
    more: mostly('', '5'),
  })
  return fc.oneof({ weight: 40, arbitrary: message }, { weight: 1, arbitrary: json })
}

const headersOf = (modern: boolean) =>
  fc.record({
    'content-type': mostly(
      'application/json',
      'application/json; charset=utf-8',
      'Application/JSON',
      'application/json;',
      'application/json;,',
      'application/json; charset=latin1',
      'text/plain',
      '',
    ),
    accept: mostly(
      'application/json, text/event-stream',
      'text/event-stream,application/json;q=0.1',
      'application/json',
      'text/event-stream',
      '*/*',
      'APPLICATION/JSON, TEXT/EVENT-STREAM',
      '',
    ),
    'mcp-protocol-version': modern
      ? mostly('2026-07-28', '', '2025-11-25', '2027-01-01', '2026-07-28, 2026-07-28')
      : mostly('2025-11-25', '', '2025-06-18', '2025-03-26', '2024-10-07', '1999-01-01', '2026-07-28', 'x'),
    'mcp-method': modern ? mostly('tools/call', '', 'tools/list', 'Tools/call') : mostly('', 'tools/list'),
    'mcp-name': modern
      ? mostly('claim_scope', '', 'other', '=?base64?Y2xhaW1fc2NvcGU=?=', '=?base64?!?=')
      : mostly('', 'other'),
    'mcp-session-id': mostly('', 'session'),
    'last-event-id': mostly('', '1'),
  })

/** Requests that are calls of claim_scope, almost calls, or nothing of the kind. */
export const oddRequests = fc
  .boolean()
  .chain((modern) =>
    fc.record({ method: mostly('POST', 'PUT', 'post'), headers: headersOf(modern), message: messageOf(modern) }),
  )
