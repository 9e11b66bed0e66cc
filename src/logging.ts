import { pino, type DestinationStream, type Logger } from 'pino'
import { currentRequestId } from './kernel/request-context.ts'
import { currentTraceId } from './kernel/trace.ts'

/** The process's logger: JSON lines, each with the id of the request that it was written for. Default: to stdout. */
export function createLog(level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    mixin() {
      const requestId = currentRequestId()
      const traceId = currentTraceId()
      return { ...(requestId !== undefined && { requestId }), ...(traceId !== undefined && { traceId }) }
    },
  }
  return destination === undefined ? pino(options) : pino(options, destination)
}
