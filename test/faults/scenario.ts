/** A way to hurt the server, and what must hold while it hurts and after. */
export interface Scenario {
  readonly name: string
  /** One sentence: what is done to it. */
  readonly fault: string
  readonly run: (context: ScenarioContext) => Promise<Verdict>
}

export interface ScenarioContext {
  /** The short form: the same faults, shorter or fewer. */
  readonly quick: boolean
  readonly seed: number
  /** How long, where the scenario has no end of its own. */
  readonly durationMs: number | undefined
  readonly log: (line: string) => void
}

export interface Verdict {
  /** What was measured, in words. */
  readonly figures: Readonly<Record<string, string | number>>
  /** What must never be, or was beyond any bound that a slow machine explains. Empty: it passed. */
  readonly violations: readonly string[]
  /** Targets that were missed on this machine, which may be the machine's doing. They fail nothing. */
  readonly missed?: readonly string[]
}
