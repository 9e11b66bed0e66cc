// Every table of every module, for drizzle-kit alone: it compares this file with migrations/.
export * from '../auth/schema.ts'
export * from '../journal/schema.ts'
export * from '../modules/claim/schema.ts'
export * from '../modules/session/schema.ts'
export * from '../modules/tenancy/schema.ts'
export * from '../modules/values/schema.ts'
export * from '../modules/workflow/schema.ts'
