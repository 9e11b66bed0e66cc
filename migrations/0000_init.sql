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
	"verified" boolean DEFAULT false NOT NULL,
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
CREATE INDEX "members_by_user" ON "members" USING btree ("user_id");--> statement-breakpoint
CREATE UNIQUE INDEX "repos_by_remote" ON "repos" USING btree ("workspace_id","canonical_remote");--> statement-breakpoint
CREATE INDEX "repos_of_remote" ON "repos" USING btree ("canonical_remote");--> statement-breakpoint
CREATE INDEX "repos_of_root" ON "repos" USING btree ("root_sha");