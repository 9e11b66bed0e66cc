/** How one client is connected: commands to copy, in order, and what to know. */
export interface ClientSetup {
  readonly client: string
  readonly commands: readonly string[]
  readonly note?: string
}

/** The commands that connect each client to this server, as seen working with the real clients (npm run test:clients). */
export function clientSetups(publicUrl: string): ClientSetup[] {
  const url = `${publicUrl}/api/mcp`
  return [
    {
      client: 'Claude Code',
      commands: [`claude mcp add --transport http Orkestrate "${url}"`, 'claude mcp login Orkestrate'],
      note: 'Add --scope project to share it with your team in .mcp.json; each of you then approves it once by starting claude there.',
    },
    { client: 'Codex', commands: [`codex mcp add Orkestrate --url "${url}"`], note: 'Signs you in at once.' },
    {
      client: 'OpenCode',
      commands: [`opencode mcp add Orkestrate --url "${url}"`, 'opencode mcp auth Orkestrate'],
    },
  ]
}
