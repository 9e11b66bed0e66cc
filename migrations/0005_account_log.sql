CREATE TABLE "account_entries" (
	"user_id" text NOT NULL,
	"seq" bigint NOT NULL,
	"type" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"actor" jsonb NOT NULL,
	"payload" jsonb NOT NULL,
	"hash" "bytea" NOT NULL,
	CONSTRAINT "account_entries_user_id_seq_pk" PRIMARY KEY("user_id","seq")
);
--> statement-breakpoint
CREATE TABLE "account_logs" (
	"user_id" text PRIMARY KEY NOT NULL,
	"seq" bigint NOT NULL,
	"hash" "bytea" NOT NULL,
	"clock" timestamp (3) with time zone NOT NULL,
	"bounded" jsonb NOT NULL
);

--> statement-breakpoint

-- Written by hand from here on.
--
-- Whose log is read, and whose is written, is held by row-level security as for tenants' tables (0002): a person's entries are
-- read in that person's scope; heads and entries are written for the people whom the transaction named in
-- orkestrate.account_ids, separated by spaces (src/modules/audit/store.ts), and for nobody without.
ALTER TABLE "account_logs" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY "of_accounts" ON "account_logs"
  USING ("user_id" = ANY (string_to_array(current_setting('orkestrate.account_ids', true), ' ')));
--> statement-breakpoint
ALTER TABLE "account_entries" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY "of_accounts" ON "account_entries" FOR INSERT
  WITH CHECK ("user_id" = ANY (string_to_array(current_setting('orkestrate.account_ids', true), ' ')));
--> statement-breakpoint
CREATE POLICY "of_user" ON "account_entries" FOR SELECT
  USING ("user_id" = nullif(current_setting('orkestrate.user_id', true), ''));
--> statement-breakpoint

-- What is on record stays as it is. These triggers refuse UPDATE, DELETE and TRUNCATE of account entries and of the events of
-- journals, whoever asks: a statement of ours that is wrong, and SQL of somebody else's that gets to run as the server's role. Only
-- ALTER TABLE gets around them, which an owner of the tables may do; the server's role is one. The hash chains, with a head
-- that was noted somewhere else, show what was done that way. ALWAYS: also under session_replication_role.
--
-- One thing is allowed: the journal of a workspace that was deleted goes, whole and at once (`erase` of
-- src/journal/journal.ts).
--
-- What it costs: nothing for what is added, since no trigger fires for an INSERT, and heads have only a condition to look at.
CREATE FUNCTION "log_is_append_only"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% of "%" is refused: what is on record stays as it is', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END
$$;
--> statement-breakpoint

-- Of the workspaces of which events were deleted, each must be marked as deleted and have none left.
CREATE FUNCTION "journal_goes_with_its_workspace"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT FROM (SELECT DISTINCT "workspace_id" FROM "gone") AS "of"
    WHERE NOT EXISTS (
      SELECT FROM "workspaces" WHERE "id" = "of"."workspace_id" AND "deleted_at" IS NOT NULL
    ) OR EXISTS (SELECT FROM "events" WHERE "workspace_id" = "of"."workspace_id")
  ) THEN
    RAISE EXCEPTION 'DELETE of "events" is refused: a journal goes whole, and with its workspace'
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NULL;
END
$$;
--> statement-breakpoint

CREATE TRIGGER "append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "account_entries"
  FOR EACH STATEMENT EXECUTE FUNCTION "log_is_append_only"();
--> statement-breakpoint
ALTER TABLE "account_entries" ENABLE ALWAYS TRIGGER "append_only";
--> statement-breakpoint
CREATE TRIGGER "append_only" BEFORE UPDATE OR TRUNCATE ON "events"
  FOR EACH STATEMENT EXECUTE FUNCTION "log_is_append_only"();
--> statement-breakpoint
ALTER TABLE "events" ENABLE ALWAYS TRIGGER "append_only";
--> statement-breakpoint
CREATE TRIGGER "append_only_whole" AFTER DELETE ON "events" REFERENCING OLD TABLE AS "gone"
  FOR EACH STATEMENT EXECUTE FUNCTION "journal_goes_with_its_workspace"();
--> statement-breakpoint
ALTER TABLE "events" ENABLE ALWAYS TRIGGER "append_only_whole";
--> statement-breakpoint

-- A head goes forward, or stays with the hash that it has; it never goes away.
CREATE TRIGGER "append_only" BEFORE DELETE OR TRUNCATE ON "account_logs"
  FOR EACH STATEMENT EXECUTE FUNCTION "log_is_append_only"();
--> statement-breakpoint
ALTER TABLE "account_logs" ENABLE ALWAYS TRIGGER "append_only";
--> statement-breakpoint
CREATE TRIGGER "append_only_forward" BEFORE UPDATE ON "account_logs" FOR EACH ROW
  WHEN (NEW."user_id" <> OLD."user_id" OR NEW."seq" < OLD."seq" OR (NEW."seq" = OLD."seq" AND NEW."hash" <> OLD."hash"))
  EXECUTE FUNCTION "log_is_append_only"();
--> statement-breakpoint
ALTER TABLE "account_logs" ENABLE ALWAYS TRIGGER "append_only_forward";
--> statement-breakpoint
CREATE TRIGGER "append_only" BEFORE DELETE OR TRUNCATE ON "journals"
  FOR EACH STATEMENT EXECUTE FUNCTION "log_is_append_only"();
--> statement-breakpoint
ALTER TABLE "journals" ENABLE ALWAYS TRIGGER "append_only";
--> statement-breakpoint
CREATE TRIGGER "append_only_forward" BEFORE UPDATE ON "journals" FOR EACH ROW
  WHEN (NEW."workspace_id" <> OLD."workspace_id" OR NEW."seq" < OLD."seq"
    OR (NEW."seq" = OLD."seq" AND NEW."hash" <> OLD."hash"))
  EXECUTE FUNCTION "log_is_append_only"();
--> statement-breakpoint
ALTER TABLE "journals" ENABLE ALWAYS TRIGGER "append_only_forward";
