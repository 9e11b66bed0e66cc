import { FIGURES, LABELS, type FigureName, type Label, type Metrics } from '../kernel/metrics.ts'

/** https://prometheus.io/docs/instrumenting/exposition_formats/ */
export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export interface Registry extends Metrics {
  /** What a label may say that is not known before everything is put together. */
  allow(label: Label, values: readonly string[]): void
  /** Every figure that has a value, in the text format of Prometheus. */
  render(): string
}

/** One line of a counter or gauge, or the lines of a histogram. */
interface Series {
  /** `a="b",c="d"`, or nothing. */
  readonly labels: string
  /** Asked when somebody looks, where it is not kept here. */
  read: (() => number) | null
  /** Of a counter or gauge; of a histogram the sum. */
  value: number
  /** Of a histogram: how many were at most each bound, and in all. Not cumulative; that is done when somebody looks. */
  readonly counts: number[]
}

/**
 * Our own, since little is needed of such a library (counters, gauges and histograms with closed label sets, as text) and
 * there is none to rely on: prom-client is given up by its authors, and its successor does not run on Node 20.
 */
export function createRegistry(): Registry {
  const series = createSeries()

  const observe: Metrics['observe'] = (name, labels, value) => {
    const line = series.find(name, labels)
    const bounds: readonly number[] = FIGURES[name].buckets
    if (line.counts.length === 0) line.counts.push(...bounds.map(() => 0), 0)
    const index = bounds.findIndex((bound) => value <= bound)
    const at = index === -1 ? bounds.length : index
    line.counts[at] = (line.counts[at] ?? 0) + 1
    line.value += value
  }

  return {
    allow: (label, values) => series.allow(label, values),
    count(name, labels, by = 1) {
      series.find(name, labels).value += by
    },
    observe,
    timer(name) {
      const started = performance.now()
      return (labels) => observe(name, labels, (performance.now() - started) / 1_000)
    },
    hold(name, labels) {
      const line = series.find(name, labels)
      line.value += 1
      let held = true
      return () => {
        if (held) line.value -= 1
        held = false
      }
    },
    read(name, labels, value) {
      series.find(name, labels).read = value
    },
    render() {
      let text = ''
      for (const [name, { kind, help }] of figures()) {
        const lines = series.linesOf(name)
        if (lines.length === 0) continue
        text += `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n`
        for (const line of lines) text += kind === 'histogram' ? histogram(name, line) : sample(name, line)
      }
      return text
    },
  }
}

function createSeries() {
  const allowed = new Map<string, Set<string>>(
    Object.entries(LABELS).map(([label, values]) => [label, new Set(values)]),
  )
  const series = new Map<FigureName, Map<string, Series>>()

  function find(name: FigureName, labels: Readonly<Record<string, string>>): Series {
    let text = ''
    for (const label of FIGURES[name].labels) {
      const value = labels[label] ?? ''
      const told = allowed.get(label)?.has(value) === true ? value : 'other'
      text += `${text === '' ? '' : ','}${label}="${told}"`
    }
    let lines = series.get(name)
    if (lines === undefined) series.set(name, (lines = new Map()))
    let line = lines.get(text)
    if (line === undefined) lines.set(text, (line = { labels: text, read: null, value: 0, counts: [] }))
    return line
  }

  return {
    find,
    allow(label: Label, values: readonly string[]) {
      for (const value of values) {
        // They become text between quotation marks.
        if (/["\\\n]/u.test(value)) throw new Error(`a label cannot say ${JSON.stringify(value)}`)
        allowed.get(label)?.add(value)
      }
    },
    /**
     * What there is to tell. A counter that begins to exist with its first increment hides that from rate(), so those with
     * one label or none, of which there are few, are there at once.
     */
    linesOf(name: FigureName): Series[] {
      const { kind, labels } = FIGURES[name]
      const [label] = labels
      if (kind === 'counter' && labels.length < 2) {
        const values = label === undefined ? [{}] : [...(allowed.get(label) ?? [])].map((value) => ({ [label]: value }))
        for (const value of values) find(name, value)
      }
      return [...(series.get(name)?.values() ?? [])]
    },
  }
}

function figures() {
  // Object.entries forgets the names' type.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return Object.entries(FIGURES) as [FigureName, (typeof FIGURES)[FigureName]][]
}

function sample(name: string, { labels, read, value }: Series): string {
  return `${name}${labels === '' ? '' : `{${labels}}`} ${read === null ? value : read()}\n`
}

function histogram(name: FigureName, { labels, value, counts }: Series): string {
  const figure = FIGURES[name]
  const bounds: readonly number[] = 'buckets' in figure ? figure.buckets : []
  const before = labels === '' ? '' : `${labels},`
  let total = 0
  let text = ''
  for (const [index, bound] of [...bounds, '+Inf'].entries()) {
    total += counts[index] ?? 0
    text += `${name}_bucket{${before}le="${bound}"} ${total}\n`
  }
  const where = labels === '' ? '' : `{${labels}}`
  return `${text}${name}_sum${where} ${value}\n${name}_count${where} ${total}\n`
}
