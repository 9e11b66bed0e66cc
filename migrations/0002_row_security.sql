-- The second wall between tenants: PostgreSQL shows and takes no row of another workspace, also where a statement of ours
-- forgot its WHERE. Every table with a workspace_id, and `workspaces` itself, has row-level security, FORCED, because the
-- server's role owns its tables and an owner is exempt otherwise. The server does not start under a role that row-level
-- security does not bind, or when a table of a tenant lacks it (src/db/row-security.ts).
--
-- Whose rows a transaction works with it says in its first statement (src/db/scope.ts), in settings that end with it:
--
--   orkestrate.workspace_id   the rows of this workspace, to read and to write
--   orkestrate.user_id        what this person has in all of theirs, to read: memberships, those workspaces and their
--                             repositories, and the person's own sessions
--   orkestrate.system         'on': how far every journal goes and when something is due in it, to read: for the sweeper and
--                             for subscribers that missed a notification
--
-- The policies of a table are alternatives. One without WITH CHECK checks what is written as it checks what is read, so a row
-- cannot be moved to another workspace either. Without a setting nothing matches: it is NULL in a new session and empty
-- after a transaction that had it, and nullif() makes both NULL, or else rows of a workspace named '' could be written.
--
-- What it costs: 3 % of a claim_scope call (0.3 of 10.6 ms of CPU time, server and database together), 0 to 3 % of reads; no
-- round trip. Two busy cores, PostgreSQL 18.4, 300 live claims, bench/row-security.ts. The settings are compared directly and
-- not in a sub-SELECT, which is often advised and was dearer (+12 % of the database's part of a claim_scope): where a
-- statement names its workspace, as ours do, the planner compares that with the setting, once (One-Time Filter), and an
-- alternative is a comparison for each row that an index has found. No index is lost to a policy, because the operators of
-- our conditions are leakproof and so may run before it (test/db/row-security-plans.test.ts looks).
--
-- The claim guard (0001) runs as whoever writes. It looks at rows of the workspace being written alone, which that writer
-- sees whole, since it could not write there otherwise.
--
-- What it is not: a wall against somebody who can run SQL of their own under the server's role. Such a one can set the
-- settings, and owns the tables.
--
-- Later migrations are held to it too: one that changes rows of these tables must take FORCE away for its time, or it finds
-- none. pg_dump under the server's role refuses to run, since it would miss rows: it needs a superuser or BYPASSRLS.

-- First, because the server's changes begin with it too: whoever is in the middle of one ends, and nobody comes between.
LOCK TABLE "journals" IN ACCESS EXCLUSIVE MODE;
--> statement-breakpoint

ALTER TABLE "journals" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY "of_workspace" ON "journals"
  USING ("workspace_id" = nullif(current_setting('orkestrate.workspace_id', true), ''));
--> statement-breakpoint
CREATE POLICY "of_system" ON "journals" FOR SELECT
  USING (current_setting('orkestrate.system', true) = 'on');
--> statement-breakpoint

ALTER TABLE "workspaces" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY "of_workspace" ON "workspaces"
  USING ("id" = nullif(current_setting('orkestrate.workspace_id', true), ''));
--> statement-breakpoint
CREATE POLICY "of_user" ON "workspaces" FOR SELECT
  USING ("id" IN (
    SELECT "workspace_id" FROM "members" WHERE "user_id" = nullif(current_setting('orkestrate.user_id', true), '')
  ));
--> statement-breakpoint

ALTER TABLE "members" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY "of_workspace" ON "members"
  USING ("workspace_id" = nullif(current_setting('orkestrate.workspace_id', true), ''));
--> statement-breakpoint
CREATE POLICY "of_user" ON "members" FOR SELECT
  USING ("user_id" = nullif(current_setting('orkestrate.user_id', true), ''));
--> statement-breakpoint

ALTER TABLE "repos" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY "of_workspace" ON "repos"
  USING ("workspace_id" = nullif(current_setting('orkestrate.workspace_id', true), ''));
--> statement-breakpoint
CREATE POLICY "of_user" ON "repos" FOR SELECT
  USING ("workspace_id" IN (
    SELECT "workspace_id" FROM "members" WHERE "user_id" = nullif(current_setting('orkestrate.user_id', true), '')
  ));
--> statement-breakpoint

ALTER TABLE "sessions" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY "of_workspace" ON "sessions"
  USING ("workspace_id" = nullif(current_setting('orkestrate.workspace_id', true), ''));
--> statement-breakpoint
CREATE POLICY "of_user" ON "sessions" FOR SELECT
  USING ("user_id" = nullif(current_setting('orkestrate.user_id', true), ''));
--> statement-breakpoint

ALTER TABLE "claims" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY "of_workspace" ON "claims"
  USING ("workspace_id" = nullif(current_setting('orkestrate.workspace_id', true), ''));
--> statement-breakpoint

ALTER TABLE "claim_paths" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY "of_workspace" ON "claim_paths"
  USING ("workspace_id" = nullif(current_setting('orkestrate.workspace_id', true), ''));
--> statement-breakpoint

ALTER TABLE "runs" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY "of_workspace" ON "runs"
  USING ("workspace_id" = nullif(current_setting('orkestrate.workspace_id', true), ''));
--> statement-breakpoint

ALTER TABLE "values" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY "of_workspace" ON "values"
  USING ("workspace_id" = nullif(current_setting('orkestrate.workspace_id', true), ''));
--> statement-breakpoint

ALTER TABLE "events" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY "of_workspace" ON "events"
  USING ("workspace_id" = nullif(current_setting('orkestrate.workspace_id', true), ''));
