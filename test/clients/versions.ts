/** The coding agents that this run drives, pinned: their behaviour on the wire changes from release to release. */
export const CLIENT_PACKAGES = {
  '@anthropic-ai/claude-code': '2.1.329',
  '@openai/codex': '0.169.0',
  'opencode-ai': '1.18.33',
} as const
