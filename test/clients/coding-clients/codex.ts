import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SERVER_NAME } from '../dialects/dialect.ts'
import { responses } from '../dialects/responses.ts'
import type { CodingClient } from './coding-client.ts'

const config = (modelUrl: string): string => `model = "scripted"
model_provider = "scripted"
mcp_oauth_credentials_store = "file"
check_for_update_on_startup = false

[analytics]
enabled = false

[model_providers.scripted]
name = "Scripted"
base_url = "${modelUrl}/v1"
wire_api = "responses"
`

export const codex: CodingClient = {
  name: 'Codex',
  folder: 'codex',
  agentId: /^codex-[a-z0-9]{4}$/,
  consentName: /Codex/,
  dialect: responses,
  prepare({ home, modelUrl }) {
    mkdirSync(join(home, '.codex'), { recursive: true })
    writeFileSync(join(home, '.codex', 'config.toml'), config(modelUrl))
  },
  env: () => ({}),
  commands: {
    add: ({ mcpUrl }) => ['codex', 'mcp', 'add', SERVER_NAME, '--url', mcpUrl],
    login: () => ['codex', 'mcp', 'login', SERVER_NAME],
    list: () => ['codex', 'mcp', 'list'],
    turn: ({ checkout }, prompt) => [
      'codex',
      'exec',
      '--dangerously-bypass-approvals-and-sandbox',
      '-C',
      checkout,
      prompt,
    ],
    logout: () => ['codex', 'mcp', 'logout', SERVER_NAME],
  },
  needsTerminal: new Set(),
  connected: /Orkestrate\s.*enabled\s+OAuth/,
  credentialsFile: '.codex/.credentials.json',
  signedOut: { command: 'turn', says: /AuthRequired/ },
  isLogoutRevoking: false,
}
