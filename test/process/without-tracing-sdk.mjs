// Loaded before a server: hides the OpenTelemetry SDK, as if its optional packages were not installed.
import { register } from 'node:module'

const hooks = `export async function resolve(specifier, context, next) {
  if (!/^@opentelemetry\\/(?!api$)/u.test(specifier)) return next(specifier, context)
  throw Object.assign(new Error('Cannot find package ' + specifier), { code: 'ERR_MODULE_NOT_FOUND' })
}`
register(`data:text/javascript,${encodeURIComponent(hooks)}`)
