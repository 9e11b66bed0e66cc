import { z } from 'zod'
import { takeWithin } from '../../kernel/bounds.ts'
import { LIMITS } from '../../kernel/limits.ts'
import { chained, pageOfLog, whole } from '../fields.ts'
import { exportable, personalOperation, requireUnbound } from '../office.ts'
import { exportEntry, readEntries } from './store.ts'

export const getAudit = exportable(
  personalOperation({
    name: 'getAudit',
    tag: 'Account log',
    title: 'Read my account log',
    description:
      'What happened to the caller’s account, oldest first: sign-ins, consents, grants, tokens, roles, refusals. With ' +
      '`Accept: application/x-ndjson` or `format=ndjson` all of it after `after`, one entry a line, to be verified offline. ' +
      'Not for a token that opens one workspace only.',
    method: 'GET',
    path: '/api/audit',
    access: 'read',
    params: z.object({}),
    query: pageOfLog,
    output: z.object({ entries: z.array(chained), nextAfter: whole, hasMore: z.boolean() }),
    async handle({ caller, database }, { query: { after, limit } }) {
      requireUnbound(caller)
      const { userId } = caller
      const rows = await database.read({ user: userId }, (orm) => readEntries(orm, userId, after, limit + 1))
      const entries = takeWithin(rows.slice(0, limit).map(exportEntry), LIMITS.restPageBytes).shown
      return { body: { entries, nextAfter: entries.at(-1)?.seq ?? after, hasMore: rows.length > entries.length } }
    },
  }),
  'entries',
)
