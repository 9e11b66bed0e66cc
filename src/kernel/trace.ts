import { context, propagation, SpanKind, SpanStatusCode, trace, type Span } from '@opentelemetry/api'
import { AppError } from './errors.ts'

// Only the API of OpenTelemetry, which does nothing until an SDK is loaded (observe/tracing.ts): about a microsecond a span.
// Names and attributes are ours, from closed lists. What somebody sent, and the messages of errors, which quote it, are in
// none of them.

const tracer = trace.getTracer('orkestrate')

export type Facts = Readonly<Record<string, string | number | boolean>>

/** Adds facts that are known only later. */
export type Note = (facts: Facts, name?: string) => void

/** Runs `work` as a span of the trace that is under way, or of a new one. */
export function traced<T>(name: string, facts: Facts, work: (note: Note) => Promise<T>): Promise<T> {
  return tracer.startActiveSpan(name, { attributes: facts }, (span) => runIn(span, work))
}

/**
 * The same for a request from outside, which goes on with the caller's trace where it names one
 * (W3C Trace Context: `traceparent`, `tracestate`).
 */
export function tracedRequest<T>(
  name: string,
  header: (name: string) => string | undefined,
  work: (note: Note) => Promise<T>,
): Promise<T> {
  const carrier = { traceparent: header('traceparent'), tracestate: header('tracestate') }
  const from = propagation.extract(context.active(), carrier)
  return tracer.startActiveSpan(name, { kind: SpanKind.SERVER }, from, (span) => runIn(span, work))
}

async function runIn<T>(span: Span, work: (note: Note) => Promise<T>): Promise<T> {
  try {
    return await work((facts, name) => {
      span.setAttributes(facts)
      if (name !== undefined) span.updateName(name)
    })
  } catch (thrown) {
    // A refusal is an answer; whatever is unexpected is told where it becomes one.
    if (thrown instanceof AppError && thrown.code === 'UNAVAILABLE') {
      span.setAttribute('error.type', thrown.code).setStatus({ code: SpanStatusCode.ERROR })
    }
    throw thrown
  } finally {
    span.end()
  }
}

/** The trace that this code works for; undefined where nothing is traced. */
export function currentTraceId(): string | undefined {
  return trace.getActiveSpan()?.spanContext().traceId
}
