/**
 * Tenancy: people, workspaces, who belongs to which, and the repositories bound to them.
 *
 * A workspace is the tenant. Membership is read on every call, so a removed member is out with the next one. A
 * repository is known by its canonical remote (remote.ts), or by its first commit where it has none.
 */
import type { Module } from '../module.ts'
import { memberAdded, repoBound, workspaceCreated } from './events.ts'

export const tenancy: Module = { name: 'tenancy', tools: [], events: [workspaceCreated, memberAdded, repoBound] }
