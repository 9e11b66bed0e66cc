-- safe: one row for each sign-in of a client or token that a person made; a million are read in about a second
CREATE INDEX "oauth_grants_revoked" ON "oauth_grants" USING btree ("revoked_at") WHERE revoked_at is not null;--> statement-breakpoint
-- safe: one row for each sign-in of a client or token that a person made; a million are read in about a second
CREATE INDEX "personal_tokens_revoked" ON "personal_tokens" USING btree ("revoked_at") WHERE revoked_at is not null;