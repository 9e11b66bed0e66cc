import { join } from 'node:path'
import { cacheFolder, installAside } from '../support/side-install.ts'

/** The suite, pinned, and the Node that it needs: it does not start on 20. */
const PACKAGES = { '@modelcontextprotocol/conformance': '0.2.0-alpha.12', node: '22.23.3' }

const FOLDER = cacheFolder('orkestrate-conformance', process.env['ORKESTRATE_CONFORMANCE_CACHE'])

/** The command that the suite's own arguments follow. */
export const SUITE = [
  join(FOLDER, 'node_modules/node/bin/node'),
  join(FOLDER, 'node_modules/@modelcontextprotocol/conformance/dist/index.js'),
] as const

/** Installs the suite unless it is there. Returns why that failed, or undefined. Needs the registry. */
export function installSuite(): string | undefined {
  return installAside({
    folder: FOLDER,
    packages: PACKAGES,
    postinstalls: { node: 'installArchSpecificPackage.js' },
    programs: ['node/bin/node'],
  })
}
