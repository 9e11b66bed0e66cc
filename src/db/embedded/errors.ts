/** The embedded PostgreSQL cannot run; the message says why and what to do. For the operator, never for a caller. */
export class EmbeddedPostgresError extends Error {
  override readonly name: string = 'EmbeddedPostgresError'
}

/** Another living server process holds the data directory. */
export class DataDirectoryInUse extends EmbeddedPostgresError {
  override readonly name = 'DataDirectoryInUse'
  readonly dataDir: string
  readonly pid: number

  constructor(dataDir: string, pid: number) {
    super(
      `A server is running already on the data directory ${dataDir} (pid ${pid}). ` +
        `Stop it (kill ${pid}), or give this one another directory with DATA_DIR.`,
    )
    this.dataDir = dataDir
    this.pid = pid
  }
}

/** The `code` of a system or PostgreSQL error (`ENOENT`, `28P01`), if it has one. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
