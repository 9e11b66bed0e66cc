import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { z } from 'zod'

// What can be said of the packaging without building it; `npm run image:check` builds and runs it.

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

const Manifest = z.object({ allowScripts: z.record(z.string(), z.boolean()) })
const Lock = z.object({
  packages: z.record(
    z.string(),
    z.looseObject({
      hasInstallScript: z.boolean().optional(),
      optionalDependencies: z.record(z.string(), z.string()).optional(),
    }),
  ),
})

const { packages } = Lock.parse(JSON.parse(read('package-lock.json')))
const nameOf = (path: string): string => path.split('node_modules/').at(-1) ?? ''

test('no install script of a package runs: each is denied by name', () => {
  const { allowScripts } = Manifest.parse(JSON.parse(read('package.json')))
  const withScript = Object.entries(packages).filter(([, entry]) => entry.hasInstallScript === true)
  const names = [...new Set(withScript.map(([path]) => nameOf(path)))]
  expect(Object.keys(allowScripts).toSorted()).toEqual(names.toSorted())
  expect(Object.values(allowScripts)).not.toContain(true)
})

test('the lock file names the binaries of every platform, or npm ci would fail on the others', () => {
  const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) =>
        packages[`node_modules/${name}`] === undefined && packages[`${path}/node_modules/${name}`] === undefined,
    ),
  )
  expect(missing).toEqual([])
})

test('the lock file names no registry: it installs from whichever is configured', () => {
  expect(read('package-lock.json')).not.toContain('"resolved"')
})

test('compose sets variables that the server reads, and has no default for a secret', () => {
  const compose = read('docker-compose.yml')
  const app = compose.slice(compose.indexOf('\n  app:'), compose.indexOf('\n  proxy:'))
  const set = [...app.matchAll(/^ {6}([A-Z_]+): /gmu)].map((m) => m[1])
  const known = new Set([...read('src/config.ts').matchAll(/^ {2}([A-Z_]+): /gmu)].map((m) => m[1]))
  expect(set).toContain('DATABASE_URL')
  expect(set.filter((name) => !known.has(name))).toEqual([])
  const secrets = [...compose.matchAll(/\$\{(\w*(?:PASSWORD|KEY)\w*)(.{2})/gu)]
  expect(secrets.length).toBeGreaterThan(3)
  expect(secrets.filter((m) => m[2] !== ':?').map((m) => m[1])).toEqual([])
})

test('compose’s proxy has the configuration that test:replicas tests, and all that it reads from the environment', () => {
  const compose = read('docker-compose.yml')
  const proxy = compose.slice(compose.indexOf('\n  proxy:'), compose.indexOf('\n  postgres:'))
  expect(proxy).toContain('./docker/haproxy.cfg:/usr/local/etc/haproxy/haproxy.cfg:ro')
  const wanted = [...read('docker/haproxy.cfg').matchAll(/\$\{(\w+)\}/gu)].map((m) => m[1])
  const set = [...proxy.matchAll(/^ {6}([A-Z_\d]+): /gmu)].map((m) => m[1])
  expect(wanted).toEqual(['BIND', 'REPLICA_1', 'REPLICA_2'])
  expect(set).toEqual(wanted)
  expect(read('test/replicas/haproxy.ts')).toContain("'../../docker/haproxy.cfg'")
})

test('the image runs as an ordinary user, is stopped by a signal, and holds no secret', () => {
  const stage =
    read('Dockerfile')
      .split(/^FROM /mu)
      .at(-1) ?? ''
  expect(stage).toMatch(/^USER node$/mu)
  expect(stage).toMatch(/^STOPSIGNAL SIGTERM$/mu)
  expect(stage).toMatch(/^HEALTHCHECK /mu)
  expect(stage).not.toMatch(/SECRET|PASSWORD|TOKEN/u)
})
