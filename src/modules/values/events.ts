import { defineEvent } from '../../journal/event.ts'

/** The digest, not the content: what is deleted from the store must not live on in the journal for ever. */
export const valueWritten = defineEvent<{ key: string; version: number; bytes: number; sha256: string }>(
  'value.written',
  { teamState: true },
)

export const valueDeleted = defineEvent<{ key: string }>('value.deleted', { teamState: true })
