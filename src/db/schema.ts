// Every table of every module, for drizzle-kit alone: it compares this file with migrations/.
export * from '../modules/tenancy/schema.ts'
export * from '../auth/schema.ts'
