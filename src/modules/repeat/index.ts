/**
 * Repeated calls: a REST call that is made again with the same Idempotency-Key has one effect and one answer.
 *
 * The answer is kept in the transaction that did what it tells of, so there is no moment in which one is there without the
 * other. A key belongs to a person and to one call with one input; for another one it is refused. After a day it is forgotten.
 */
import type { Module } from '../module.ts'

export const repeat: Module = { name: 'repeat', tools: [], events: [] }
