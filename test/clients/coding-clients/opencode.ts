import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { chatCompletions } from '../dialects/chat-completions.ts'
import { SERVER_NAME } from '../dialects/dialect.ts'
import type { CodingClient } from './coding-client.ts'

const config = (modelUrl: string): object => ({
  $schema: 'https://opencode.ai/config.json',
  autoupdate: false,
  share: 'disabled',
  model: 'scripted/scripted',
  permission: 'allow',
  provider: {
    scripted: {
      npm: '@ai-sdk/openai-compatible',
      name: 'Scripted',
      options: { baseURL: `${modelUrl}/v1`, apiKey: 'scripted' },
      models: { scripted: { name: 'Scripted', tool_call: true } },
    },
  },
})

export const openCode: CodingClient = {
  name: 'OpenCode',
  folder: 'opencode',
  agentId: /^opencode-[a-z0-9]{4}$/,
  consentName: /OpenCode/,
  dialect: chatCompletions,
  prepare({ home, modelUrl }) {
    const folder = join(home, '.config', 'opencode')
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'opencode.json'), JSON.stringify(config(modelUrl), null, 2))
    // As after a first start with a network: else every process tries to install this, holding a lock that the next
    // one waits for.
    mkdirSync(join(folder, 'node_modules'))
    const installed = { packages: { '': { dependencies: { '@opencode-ai/plugin': '*' } } } }
    writeFileSync(join(folder, 'package-lock.json'), JSON.stringify(installed))
  },
  env: () => ({
    OPENCODE_DISABLE_AUTOUPDATE: '1',
    OPENCODE_DISABLE_MODELS_FETCH: '1',
    OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
    OPENCODE_DISABLE_DEFAULT_PLUGINS: '1',
    OPENCODE_DISABLE_FFF: '1',
    OPENCODE_EXPERIMENTAL_DISABLE_FILEWATCHER: '1',
  }),
  commands: {
    add: ({ mcpUrl }) => ['opencode', 'mcp', 'add', SERVER_NAME, '--url', mcpUrl],
    login: () => ['opencode', 'mcp', 'auth', SERVER_NAME],
    list: () => ['opencode', 'mcp', 'list'],
    turn: (_, prompt) => ['opencode', 'run', prompt],
    logout: () => ['opencode', 'mcp', 'logout', SERVER_NAME],
  },
  needsTerminal: new Set(['login']),
  connected: /Orkestrate.*connected/,
  credentialsFile: '.local/share/opencode/mcp-auth.json',
  signedOut: { command: 'list', says: /Orkestrate needs authentication/ },
  isLogoutRevoking: false,
}
