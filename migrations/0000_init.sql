CREATE TABLE "oauth_access_tokens" (
	"token_hash" text PRIMARY KEY NOT NULL,
	"grant_id" text NOT NULL,
	"scopes" jsonb NOT NULL,
	"issued_at" timestamp (3) with time zone NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "accounts" (
	"email" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"password_hash" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "oauth_codes" (
	"code_hash" text PRIMARY KEY NOT NULL,
	"grant_id" text NOT NULL,
	"client_id" text NOT NULL,
	"user_id" text NOT NULL,
	"redirect_uri" text NOT NULL,
	"code_challenge" text NOT NULL,
	"resource" text NOT NULL,
	"scopes" jsonb NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"redeemed_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "browser_sessions" (
	"token_hash" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"last_seen_at" timestamp (3) with time zone NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "oauth_clients" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"redirect_uris" jsonb NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"used_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "oauth_grants" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"client_id" text NOT NULL,
	"redirect_uri" text NOT NULL,
	"resource" text NOT NULL,
	"scopes" jsonb NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"last_used_at" timestamp (3) with time zone,
	"revoked_at" timestamp (3) with time zone,
	"revoked_because" text
);
--> statement-breakpoint
CREATE TABLE "oauth_refresh_tokens" (
	"token_hash" text PRIMARY KEY NOT NULL,
	"grant_id" text NOT NULL,
	"generation" integer NOT NULL,
	"issued_at" timestamp (3) with time zone NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"rotated_at" timestamp (3) with time zone,
	"sealed_successor" text
);
--> statement-breakpoint
CREATE TABLE "events" (
	"workspace_id" text NOT NULL,
	"seq" bigint NOT NULL,
	"type" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"actor" jsonb NOT NULL,
	"payload" jsonb NOT NULL,
	"team_state" boolean NOT NULL,
	"hash" "bytea" NOT NULL,
	CONSTRAINT "events_workspace_id_seq_pk" PRIMARY KEY("workspace_id","seq")
);
--> statement-breakpoint
CREATE TABLE "journals" (
	"workspace_id" text PRIMARY KEY NOT NULL,
	"seq" bigint NOT NULL,
	"hash" "bytea" NOT NULL,
	"state_seq" bigint NOT NULL,
	"state_hash" "bytea" NOT NULL,
	"clock" timestamp (3) with time zone NOT NULL,
	"next_due_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "claim_paths" (
	"workspace_id" text NOT NULL,
	"repo_id" text NOT NULL,
	"claim_id" text NOT NULL,
	"ordinal" smallint NOT NULL,
	"display" text NOT NULL,
	"kind" text NOT NULL,
	"key" text NOT NULL,
	"prefix" text NOT NULL,
	CONSTRAINT "claim_paths_workspace_id_claim_id_ordinal_pk" PRIMARY KEY("workspace_id","claim_id","ordinal")
);
--> statement-breakpoint
CREATE TABLE "claims" (
	"workspace_id" text NOT NULL,
	"id" text NOT NULL,
	"session_id" text NOT NULL,
	"repo_id" text NOT NULL,
	"mode" text NOT NULL,
	"fence" bigint NOT NULL,
	"reason" text NOT NULL,
	"ttl_seconds" integer NOT NULL,
	"acquired_at" timestamp (3) with time zone NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone,
	"end_reason" text,
	CONSTRAINT "claims_workspace_id_id_pk" PRIMARY KEY("workspace_id","id")
);
--> statement-breakpoint
CREATE TABLE "sessions" (
	"workspace_id" text NOT NULL,
	"id" text NOT NULL,
	"agent_id" text NOT NULL,
	"user_id" text NOT NULL,
	"grant_id" text NOT NULL,
	"tool_name" text NOT NULL,
	"repo_id" text NOT NULL,
	"branch" text NOT NULL,
	"head_sha" text NOT NULL,
	"dirty" boolean NOT NULL,
	"joined_at" timestamp (3) with time zone NOT NULL,
	"last_seen_at" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone,
	"end_reason" text,
	"state" jsonb,
	"alerts" jsonb DEFAULT '[]'::jsonb NOT NULL,
	CONSTRAINT "sessions_workspace_id_id_pk" PRIMARY KEY("workspace_id","id")
);
--> statement-breakpoint
CREATE TABLE "members" (
	"workspace_id" text NOT NULL,
	"user_id" text NOT NULL,
	"role" text NOT NULL,
	"joined_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "members_workspace_id_user_id_pk" PRIMARY KEY("workspace_id","user_id")
);
--> statement-breakpoint
CREATE TABLE "repos" (
	"workspace_id" text NOT NULL,
	"id" text NOT NULL,
	"canonical_remote" text,
	"root_sha" text,
	"bound_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "repos_workspace_id_id_pk" PRIMARY KEY("workspace_id","id")
);
--> statement-breakpoint
CREATE TABLE "users" (
	"id" text PRIMARY KEY NOT NULL,
	"email" text NOT NULL,
	"name" text NOT NULL,
	"active_workspace_id" text,
	"created_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "workspaces" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"policy" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"archived_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "values" (
	"workspace_id" text NOT NULL,
	"key" text NOT NULL,
	"value" jsonb NOT NULL,
	"bytes" integer NOT NULL,
	"version" bigint NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	"updated_by" text NOT NULL,
	CONSTRAINT "values_workspace_id_key_pk" PRIMARY KEY("workspace_id","key")
);
--> statement-breakpoint
CREATE TABLE "runs" (
	"workspace_id" text NOT NULL,
	"id" text NOT NULL,
	"session_id" text NOT NULL,
	"intent_id" text NOT NULL,
	"phase" text NOT NULL,
	"chain_remaining" jsonb NOT NULL,
	"target_agent_id" text,
	"needs_sync_seq" bigint,
	"started_at" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone,
	"end_reason" text,
	CONSTRAINT "runs_workspace_id_id_pk" PRIMARY KEY("workspace_id","id")
);
--> statement-breakpoint
CREATE INDEX "oauth_access_tokens_by_expiry" ON "oauth_access_tokens" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "oauth_codes_by_expiry" ON "oauth_codes" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "browser_sessions_by_expiry" ON "browser_sessions" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "browser_sessions_of_user" ON "browser_sessions" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "oauth_clients_unused" ON "oauth_clients" USING btree ("used_at","created_at");--> statement-breakpoint
CREATE INDEX "oauth_grants_of_user" ON "oauth_grants" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "oauth_refresh_tokens_of_grant" ON "oauth_refresh_tokens" USING btree ("grant_id");--> statement-breakpoint
CREATE INDEX "oauth_refresh_tokens_by_expiry" ON "oauth_refresh_tokens" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "journals_by_due" ON "journals" USING btree ("next_due_at");--> statement-breakpoint
CREATE INDEX "claim_paths_by_prefix" ON "claim_paths" USING btree ("workspace_id","repo_id","prefix" collate "C");--> statement-breakpoint
CREATE INDEX "claims_live_by_session" ON "claims" USING btree ("workspace_id","session_id") WHERE ended_at is null;--> statement-breakpoint
CREATE INDEX "claims_live_by_expiry" ON "claims" USING btree ("workspace_id","expires_at") WHERE ended_at is null;--> statement-breakpoint
CREATE UNIQUE INDEX "sessions_by_agent_id" ON "sessions" USING btree ("workspace_id","agent_id");--> statement-breakpoint
CREATE INDEX "sessions_live_by_grant" ON "sessions" USING btree ("grant_id") WHERE ended_at is null;--> statement-breakpoint
CREATE INDEX "sessions_live" ON "sessions" USING btree ("workspace_id","last_seen_at") WHERE ended_at is null;--> statement-breakpoint
CREATE INDEX "members_by_user" ON "members" USING btree ("user_id");--> statement-breakpoint
CREATE UNIQUE INDEX "repos_by_remote" ON "repos" USING btree ("workspace_id","canonical_remote");--> statement-breakpoint
CREATE INDEX "repos_of_remote" ON "repos" USING btree ("canonical_remote");--> statement-breakpoint
CREATE INDEX "repos_of_root" ON "repos" USING btree ("root_sha");--> statement-breakpoint
CREATE INDEX "values_by_key" ON "values" USING btree ("workspace_id","key" collate "C");--> statement-breakpoint
CREATE UNIQUE INDEX "runs_live_by_session" ON "runs" USING btree ("workspace_id","session_id") WHERE ended_at is null;