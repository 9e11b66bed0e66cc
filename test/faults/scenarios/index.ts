import type { Scenario } from '../scenario.ts'
import { diskFull } from './disk-full.ts'
import { expiryStorm } from './expiry-storm.ts'
import { kill, killReplicas } from './kill.ts'
import { many } from './many.ts'
import { outOfConnections } from './out-of-connections.ts'
import { postgresDown } from './postgres-down.ts'
import { postgresRestart } from './postgres-restart.ts'
import { slow } from './slow.ts'
import { slowClients } from './slow-clients.ts'
import { soak } from './soak.ts'

/** In the order in which they run. */
export const SCENARIOS: readonly Scenario[] = [
  kill,
  killReplicas,
  postgresDown,
  postgresRestart,
  outOfConnections,
  diskFull,
  slow,
  slowClients,
  many,
  expiryStorm,
  soak,
]
