import { styleText } from 'node:util'

/** Lines longer than this are cut: the demonstration is read in a terminal of 100 columns. */
const COLUMNS = 100
const NAME_COLUMNS = 6

type Colour = 'green' | 'red' | 'cyan' | 'dim' | 'bold'

/** What happened, line by line, with the seconds since the start. */
export interface Timeline {
  heading(text: string): void
  /** Something that is nobody's call. */
  note(text: string): void
  called(agent: string, text: string): void
  answered(ok: boolean, text: string): void
  /** A line that the next one replaces, on a terminal; elsewhere nothing. */
  passing(text: string): void
}

export interface Output {
  write(text: string): unknown
  readonly isTTY?: boolean
}

/** @param now milliseconds of a clock that never steps back. */
export function createTimeline(output: Output, now: () => number): Timeline {
  const start = now()
  const isTerminal = output.isTTY === true
  const coloured = isTerminal && process.env['NO_COLOR'] === undefined

  function line(text: string, colour?: Colour): void {
    const cut = text.length > COLUMNS ? `${text.slice(0, COLUMNS - 1)}…` : text
    const erase = isTerminal ? '\r\u001b[K' : ''
    output.write(`${erase}${coloured && colour !== undefined ? styleText(colour, cut) : cut}\n`)
  }
  const time = () => `${((now() - start) / 1000).toFixed(1).padStart(6)} s`
  const row = (who: string, text: string) => `${time()}  ${who.padEnd(NAME_COLUMNS)}  ${text}`
  const blank = ' '.repeat(time().length + NAME_COLUMNS + 4)

  return {
    heading(text) {
      line('')
      line(text, 'bold')
    },
    note: (text) => line(row('', text), 'dim'),
    called: (agent, text) => line(row(agent, `→ ${text}`), 'cyan'),
    answered: (ok, text) => line(`${blank}${ok ? '✓' : '✗'} ${text}`, ok ? 'green' : 'red'),
    passing(text) {
      if (isTerminal) output.write(`\r\u001b[K${row('', text)}`)
    },
  }
}

/** A path cut in its middle, where it says least. */
export function shortPath(path: string, characters = 48): string {
  if (path.length <= characters) return path
  const half = Math.floor((characters - 1) / 2)
  return `${path.slice(0, half)}…${path.slice(-half)}`
}
