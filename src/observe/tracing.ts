import type { Log } from '../kernel/log.ts'

export interface Tracing {
  /** Sends what is still to be sent, for a few seconds at most. */
  stop(): Promise<void>
}

/** How long the last spans may take at the end. */
const STOP_MS = 3_000

/**
 * Loads the OpenTelemetry SDK, which is an optional dependency, and sends traces to a collector, by OTLP over HTTP. The SDK
 * itself reads `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_TRACES_SAMPLER`, `OTEL_RESOURCE_ATTRIBUTES` and the limits of its queue.
 *
 * Traces are no reason not to serve: where the SDK is missing, this says so and goes on without.
 *
 * @param endpoint the collector's, such as http://localhost:4318
 */
export async function startTracing(deps: { endpoint: string; version: string; log: Log }): Promise<Tracing> {
  const { endpoint, version, log } = deps
  const url = `${endpoint.replace(/\/+$/u, '')}/v1/traces`
  try {
    const [sdk, { OTLPTraceExporter }, resources, { W3CTraceContextPropagator }] = await Promise.all([
      import('@opentelemetry/sdk-trace-node'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
      import('@opentelemetry/core'),
    ])
    const ours = resources.resourceFromAttributes({ 'service.name': 'orkestrate', 'service.version': version })
    const named = resources.detectResources({ detectors: [resources.envDetector] })
    const provider = new sdk.NodeTracerProvider({
      resource: resources.defaultResource().merge(ours).merge(named),
      spanProcessors: [new sdk.BatchSpanProcessor(new OTLPTraceExporter({ url }))],
    })
    // Without the default's baggage: what a caller sends there would be sent on.
    provider.register({ propagator: new W3CTraceContextPropagator() })
    log.info({ url }, 'traces are sent to OpenTelemetry')
    return { stop: () => withinTime(provider.shutdown()) }
  } catch (err) {
    if (!isMissing(err)) throw err
    log.error(
      { err },
      'OTEL_EXPORTER_OTLP_ENDPOINT is set and the OpenTelemetry SDK is not installed: there are no traces. Install the ' +
        'optional dependencies (npm ci without --omit=optional), or take the variable away.',
    )
    return { stop: () => Promise.resolve() }
  }
}

function isMissing(err: unknown): boolean {
  return err instanceof Error && 'code' in err && err.code === 'ERR_MODULE_NOT_FOUND'
}

async function withinTime(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, STOP_MS)
  })
  await Promise.race([work, late])
  clearTimeout(timer)
}
