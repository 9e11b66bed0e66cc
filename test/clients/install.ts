import { join } from 'node:path'
import { cacheFolder, installAside } from '../support/side-install.ts'
import { CLIENT_PACKAGES } from './versions.ts'

// Half a gigabyte of agents.
const FOLDER = cacheFolder('orkestrate-clients', process.env['ORKESTRATE_CLIENT_CACHE'])

export const binFolder = (): string => join(FOLDER, 'node_modules', '.bin')

/** Installs the pinned clients unless they are there. Returns why that failed, or undefined. Needs the registry. */
export function installClients(): string | undefined {
  return installAside({
    folder: FOLDER,
    packages: CLIENT_PACKAGES,
    postinstalls: { '@anthropic-ai/claude-code': 'install.cjs', 'opencode-ai': 'postinstall.mjs' },
    programs: ['.bin/claude', '.bin/codex', '.bin/opencode'],
  })
}
