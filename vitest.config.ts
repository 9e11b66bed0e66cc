import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { SlowFirst } from './test/support/slow-first.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // Two on two cores, where vitest would take one: much of the time a test waits for another process. No more than four,
    // whose pools the one PostgreSQL has connections for.
    maxWorkers: Math.min(4, Math.max(2, availableParallelism())),
    sequence: { sequencer: SlowFirst },
    // Tests wait for events. These bound what never comes, on a machine that has much else to do.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
  },
})
