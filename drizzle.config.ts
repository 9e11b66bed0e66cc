import { defineConfig } from 'drizzle-kit'

// `npm run db:generate` compares src/db/schema.ts with migrations/ and writes the difference; it needs no database.
export default defineConfig({ dialect: 'postgresql', schema: './src/db/schema.ts', out: './migrations' })
