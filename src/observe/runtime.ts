import { readdirSync } from 'node:fs'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import type { Metrics } from '../kernel/metrics.ts'

/** How often the delay of the event loop is looked at. */
const EVERY_MS = 1_000

/** The monitor's own timer; what it measures is never less than this. */
const RESOLUTION_MS = 20

/** The process itself, as it is. */
export interface Runtime {
  /** The longest that the event loop was late in the last second or two, in seconds. */
  eventLoopDelay(): number
  stop(): void
}

/** Tells of the process: its event loop, memory, CPU time and files. Once in a process. */
export function observeRuntime(metrics: Metrics, version: string): Runtime {
  const monitor = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  monitor.enable()
  let delay = 0
  // The longest of each second and not every one: what a person notices, and right for several readers at once, each of
  // which would otherwise need the monitor reset.
  const timer = setInterval(() => {
    delay = Math.max(0, monitor.max / 1e9 - RESOLUTION_MS / 1_000)
    monitor.reset()
    metrics.observe('orkestrate_event_loop_delay_seconds', {}, delay)
  }, EVERY_MS)
  timer.unref()

  const startedAt = (Date.now() - process.uptime() * 1_000) / 1_000
  metrics.read(
    'orkestrate_event_loop_active_seconds_total',
    {},
    () => performance.eventLoopUtilization().active / 1_000,
  )
  metrics.read('orkestrate_build_info', { version, node: process.version }, () => 1)
  metrics.read('process_start_time_seconds', {}, () => startedAt)
  metrics.read('process_resident_memory_bytes', {}, () => process.memoryUsage.rss())
  metrics.read('nodejs_heap_size_used_bytes', {}, () => process.memoryUsage().heapUsed)
  metrics.read('nodejs_heap_size_limit_bytes', {}, () => getHeapStatistics().heap_size_limit)
  metrics.read('process_cpu_seconds_total', {}, () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  })
  if (process.platform === 'linux') {
    metrics.read('process_open_fds', {}, () => readdirSync('/proc/self/fd').length)
  }
  return {
    eventLoopDelay: () => delay,
    stop() {
      clearInterval(timer)
      monitor.disable()
    },
  }
}
