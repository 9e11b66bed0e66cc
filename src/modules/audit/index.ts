/**
 * The account log: what happened to a person's account, and what they did that no single workspace remembers. Signing in and
 * failing to, passwords and other ways in, consents, grants and tokens, roles, refusals.
 *
 * One hash chain per person, by the rules of the journal (journal/chain.ts). An entry is written in the transaction that did
 * what it tells of, so there is no moment in which one is there without the other; what was refused, and what nobody may find
 * out by the time that an answer takes, is written after the answer (auth/aftermath.ts). Nothing on record is ever changed or
 * deleted: the database refuses it (migrations). What anybody can bring about is bounded (bound.ts). No secret is in it.
 */
import type { Module } from '../module.ts'
import { getAudit } from './operations.ts'

export const audit: Module = { name: 'audit', tools: [], events: [], operations: [getAudit] }
