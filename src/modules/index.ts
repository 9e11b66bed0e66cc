import type { Expire } from '../journal/journal.ts'
import { audit } from './audit/index.ts'
import { claim } from './claim/index.ts'
import type { EndSession, Module } from './module.ts'
import { endOwnSession, session } from './session/index.ts'
import { repeat } from './repeat/index.ts'
import { state } from './state/index.ts'
import { tenancy } from './tenancy/index.ts'
import { values } from './values/index.ts'
import { workflow } from './workflow/index.ts'

/** Every module, each after those it may import (test/architecture.test.ts). */
export const modules: readonly Module[] = [repeat, audit, tenancy, session, claim, workflow, state, values]

/** Every tool, in the order of the modules. */
export const tools = modules.flatMap((module) => module.tools)

/** Every operation of REST that a module has. */
export const operations = modules.flatMap((module) => module.operations ?? [])

/** What MCP clients read by URI. */
export const resources = modules.flatMap((module) => module.resources ?? [])

export const eventTypes = modules.flatMap((module) => module.events)

/** Ends a session: first what hangs on it, the latest module first, then the session itself. */
export const endSession: EndSession = async (ws, ended, reason, actor) => {
  for (const module of modules.toReversed()) await module.onSessionEnd?.(ws, ended, actor)
  endOwnSession(ws, ended, reason, actor)
}

/** What time does: leases lapse before idle sessions end, so that a lapsed claim is on record as lapsed. */
export const expire: readonly Expire[] = modules
  .toReversed()
  .map((module) => async (ws) => (await module.expire?.(ws, endSession)) ?? null)
