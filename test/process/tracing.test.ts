import { expect, test } from 'vitest'
import { temporaryDirectory } from '../db/embedded-harness.ts'
import { running, signIn } from './harness.ts'

test('tracing that is configured and not installed is an error in the log, and no reason not to serve or to end well', async () => {
  const server = await running({
    dataDir: await temporaryDirectory(),
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' },
    command: [process.execPath, '--import', 'tsx', '--import', './test/process/without-tracing-sdk.mjs', 'src/main.ts'],
  })
  const { agent } = await signIn(server)
  expect(await agent.join()).toMatchObject({ ok: true })
  expect(await server.stop()).toEqual({ code: 0, signal: null })
  const told = server
    .output()
    .split('\n')
    .filter((line) => line.includes('OTEL_EXPORTER_OTLP_ENDPOINT'))
  expect(told).toHaveLength(1)
  expect(JSON.parse(told[0] ?? '')).toMatchObject({
    level: 50,
    msg: expect.stringContaining('npm ci without --omit=optional'),
  })
})
