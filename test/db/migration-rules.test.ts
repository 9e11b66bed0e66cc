import { describe, expect, test } from 'vitest'
import { dangersOf } from '../../scripts/migrations/dangers.ts'

describe('a migration is refused that', () => {
  test.each([
    ['rewrites a table', 'ALTER TABLE "claims" ALTER COLUMN "fence" SET DATA TYPE text'],
    ['rewrites a table, said shorter', 'ALTER TABLE claims ALTER fence TYPE text'],
    ['adds what must not be null, without a default', 'ALTER TABLE "claims" ADD COLUMN "x" text NOT NULL'],
    ['has a default that differs by row', 'ALTER TABLE claims ADD COLUMN x uuid DEFAULT gen_random_uuid() NOT NULL'],
    ['makes a column not null', 'ALTER TABLE "claims" ALTER COLUMN "reason" SET NOT NULL'],
    ['builds an index under a lock', 'CREATE INDEX "a" ON "events" USING btree ("type")'],
    ['builds a unique index under a lock', 'CREATE UNIQUE INDEX a ON events (type)'],
    ['checks every row', `ALTER TABLE "claims" ADD CONSTRAINT "c" CHECK ("fence" > 0)`],
    ['adds a foreign key over every row', 'ALTER TABLE claims ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES x (id)'],
    ['adds a unique constraint', 'ALTER TABLE claims ADD CONSTRAINT u UNIQUE (id)'],
    ['drops a column', 'ALTER TABLE "claims" DROP COLUMN "reason"'],
    ['drops a table', 'DROP TABLE "claims"'],
    ['renames', 'ALTER TABLE "claims" RENAME COLUMN "reason" TO "why"'],
    ['changes rows', `UPDATE "claims" SET "reason" = ''`],
    ['locks a table', 'LOCK TABLE "journals" IN ACCESS EXCLUSIVE MODE'],
    ['empties a table', 'TRUNCATE claims'],
    ['builds concurrently inside a transaction', 'CREATE INDEX CONCURRENTLY a ON events (type)'],
    ['does the rest outside of one', '-- outside a transaction\nALTER TABLE claims ADD COLUMN x text'],
    ['hides it behind another statement', `CREATE TABLE y (id text);\nDROP TABLE claims`],
    ['gives no reason', '-- safe:\nDROP TABLE claims'],
  ])('%s', (_, migration) => {
    expect(dangersOf(migration)).toHaveLength(1)
  })
})

describe('a migration may', () => {
  test.each([
    ['add a column', 'ALTER TABLE "workspaces" ADD COLUMN "deleted_at" timestamp (3) with time zone'],
    ['add one with a constant default', 'ALTER TABLE "journals" ADD COLUMN "x" bigint DEFAULT 0 NOT NULL'],
    [
      'make a table, with its indexes and walls',
      'CREATE TABLE "x" ("id" text NOT NULL);\nCREATE INDEX "i" ON "x" ("id");\nALTER TABLE "x" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
    ],
    ['build an index beside everybody', '-- outside a transaction\nCREATE INDEX CONCURRENTLY "a" ON "events" ("type")'],
    ['add a check for new rows', 'ALTER TABLE claims ADD CONSTRAINT c CHECK (fence > 0) NOT VALID'],
    ['validate it later', 'ALTER TABLE claims VALIDATE CONSTRAINT c'],
    ['drop a constraint or a default', 'ALTER TABLE claims DROP CONSTRAINT c, ALTER COLUMN reason DROP DEFAULT'],
    [
      'define a function that changes rows when it is called',
      'CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ DELETE FROM claims; DROP TABLE x $$',
    ],
    [
      'do what it gives a reason for',
      '-- safe: nothing has used this column since 0.2\nALTER TABLE claims DROP COLUMN reason',
    ],
    ['say anything in a comment', '-- DROP TABLE claims;\nALTER TABLE claims ADD COLUMN x text'],
  ])('%s', (_, migration) => {
    expect(dangersOf(migration)).toEqual([])
  })
})
