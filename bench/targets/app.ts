/**
 * The product as a replica on a database that is there already, as main.ts puts it together: for what is measured with a
 * pace of its own, or looked into. `memory` over IPC collects garbage, if node runs with --expose-gc, and tells what is left.
 */
import { createApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config.ts'
import { connect } from '../../src/db/client.ts'
import { adjustLimits } from '../../src/kernel/limits.ts'
import { log, serve, told } from './target.ts'

const { target, pace } = told
const config = loadConfig(process.env)
adjustLimits(config.limits)
const database = connect(target)
const secretKeys = ['a key of a bench that seals nothing of worth']
const app = createApp({ config, database, secretKeys, log, version: '0', ...(pace === undefined ? {} : { pace }) })

serve(app, async () => {
  app.drain()
  await app.close()
  await database.close()
})

process.on('message', (question) => {
  if (question !== 'memory') return
  globalThis.gc?.()
  process.send?.(process.memoryUsage())
})
