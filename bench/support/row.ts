import type { Ratio } from './statistics.ts'
import type { Bench } from './bench.ts'

/** One comparison of the report. */
export interface Row {
  readonly what: string
  /** What was measured, and what it is compared with, each with its figure. */
  readonly subject: string
  readonly reference: string
  /** Subject by reference, or what the goal is about; null where the figure stands for itself. */
  readonly ratio: Ratio | null
  readonly goal: Goal | null
  /** What is worth knowing beside the figures, one line each. */
  readonly notes: readonly string[]
  /** Why, where the goal is not reached. */
  readonly missed?: string
}

export interface Goal {
  readonly text: string
  readonly reached: boolean
}

/** Reached where the value is at most, or at least, what was set. */
export const atMost = (bound: number, value: number, unit = ''): Goal => ({
  text: `≤ ${bound}${unit}`,
  reached: value <= bound,
})
export const atLeast = (bound: number, value: number, unit = ''): Goal => ({
  text: `≥ ${bound}${unit}`,
  reached: value >= bound,
})

/** Where the processor time of a path goes, for the rows that it explains. */
export interface ProfileTable {
  readonly title: string
  readonly lines: readonly { readonly share: number; readonly where: string }[]
}

/** Rows that are measured together. */
export interface Family {
  /** For --rows. */
  readonly name: string
  readonly what: string
  /** @throws where anything went wrong, one answer among thousands too: then there are no rows */
  run(bench: Bench): Promise<Measured>
}

export interface Measured {
  readonly rows: readonly Row[]
  readonly profiles?: readonly ProfileTable[]
  /** What could not be measured here, and why. */
  readonly leftOut?: string | null
}

export const per = (value: number, unit: string): string => `${shown(value)} ${unit}`

/** Three digits that matter. */
export function shown(value: number): string {
  if (!Number.isFinite(value)) return '–'
  if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString('en-US')
  return String(Number(value.toPrecision(3)))
}
