import { cacheFolder, installAside } from '../support/side-install.ts'

/** The last version of Prism that runs on Node 20; a hundred packages, which the project itself has no use for. */
const PRISM = {
  folder: cacheFolder('orkestrate-openapi', process.env['ORKESTRATE_OPENAPI_CACHE']),
  packages: { '@stoplight/prism-http': '5.12.0' },
  postinstalls: {},
  programs: [],
}

/** Dredd's last version; two hundred packages. Its native parsers are optional, and of API Blueprint only. */
const DREDD = {
  folder: cacheFolder('orkestrate-dredd', process.env['ORKESTRATE_DREDD_CACHE']),
  packages: { dredd: '14.1.0' },
  postinstalls: {},
  programs: ['.bin/dredd'],
}

export const prismFolder = (): string => PRISM.folder
export const dreddFolder = (): string => DREDD.folder

/** Installs Prism unless it is there. Returns why that failed, or undefined. Needs the registry. */
export const installPrism = (): string | undefined => installAside(PRISM)

/** Installs Dredd unless it is there. Returns why that failed, or undefined. Needs the registry. */
export const installDredd = (): string | undefined => installAside(DREDD)
