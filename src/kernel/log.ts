/** What code below the adapters needs of a logger; pino satisfies it. Objects first, so that every line is structured. */
export interface Log {
  debug(facts: object, message: string): void
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
  error(facts: object, message: string): void
}
