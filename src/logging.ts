import { pino, type DestinationStream, type Logger } from 'pino'
import { currentRequestId } from './kernel/request-context.ts'

/** The process's logger: JSON lines, each with the id of the request that it was written for. Default: to stdout. */
export function createLog(level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    mixin() {
      const requestId = currentRequestId()
      return requestId === undefined ? {} : { requestId }
    },
  }
  return destination === undefined ? pino(options) : pino(options, destination)
}
