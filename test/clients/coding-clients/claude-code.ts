import { anthropic } from '../dialects/anthropic.ts'
import { SERVER_NAME } from '../dialects/dialect.ts'
import type { CodingClient } from './coding-client.ts'

export const claudeCode: CodingClient = {
  name: 'Claude Code',
  folder: 'claude-code',
  agentId: /^claude-code-[a-z0-9]{4}$/,
  consentName: /Claude Code/,
  dialect: anthropic,
  prepare() {
    // Everything is said by environment variables and flags.
  },
  env: ({ modelUrl }) => ({
    ANTHROPIC_BASE_URL: modelUrl,
    ANTHROPIC_API_KEY: 'sk-ant-scripted',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    DISABLE_AUTOUPDATER: '1',
    DISABLE_TELEMETRY: '1',
    DISABLE_ERROR_REPORTING: '1',
  }),
  commands: {
    add: ({ mcpUrl }) => ['claude', 'mcp', 'add', '--transport', 'http', SERVER_NAME, mcpUrl],
    login: () => ['claude', 'mcp', 'login', SERVER_NAME],
    list: () => ['claude', 'mcp', 'list'],
    turn: (_, prompt) => ['claude', '--print', prompt, '--allowedTools', `mcp__${SERVER_NAME}`],
    logout: () => ['claude', 'mcp', 'logout', SERVER_NAME],
  },
  needsTerminal: new Set(['login']),
  connected: /Orkestrate: \S+ .*Connected/,
  credentialsFile: '.claude/.credentials.json',
  signedOut: { command: 'list', says: /Orkestrate: .*Needs authentication/ },
  isLogoutRevoking: true,
}
