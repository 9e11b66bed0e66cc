import type { CallToolResult } from '@modelcontextprotocol/server'
import type { Answer } from '../kernel/dispatch.ts'

/**
 * An answer as MCP carries it. Claude Code and Codex show the model structuredContent, OpenCode and Gemini the text:
 * both say the same. Indented, because some clients hide long lines.
 */
export function toCallToolResult(answer: Answer): CallToolResult {
  return {
    content: [{ type: 'text', text: JSON.stringify(answer, null, 2) }],
    structuredContent: { ...answer },
    ...(answer.ok ? {} : { isError: true }),
  }
}
