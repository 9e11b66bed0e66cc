import { AjvJsonSchemaValidator } from '@modelcontextprotocol/server/validators/ajv'
import { expect, it } from 'vitest'
import { describe as describeTool } from '../../src/mcp/describe.ts'
import { tools } from '../../src/modules/index.ts'

const $schema = 'https://json-schema.org/draft/2020-12/schema'

const refusal = {
  ok: false,
  error: { code: 'NOT_JOINED', message: 'No live session.', retryable: false },
  phase: 'none',
  nextRequiredTool: 'join_workspace',
  allowedTools: ['join_workspace'],
  recovery: ['Call join_workspace.'],
  stateHash: null,
  alerts: [],
}

it.each(tools.map((tool) => [tool.name, describeTool(tool).outputSchema] as const))(
  'a refusal fits the output schema of %s, and what is no answer does not',
  (_, schema) => {
    const validate = new AjvJsonSchemaValidator().getValidator({ ...schema, $schema })
    expect(validate(refusal)).toMatchObject({ valid: true })
    expect(validate({ ...refusal, ok: undefined })).toMatchObject({ valid: false })
  },
)
