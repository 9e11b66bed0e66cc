-- The second wall behind claim_scope: two live claims of different sessions never overlap, whoever writes the rows.
--
-- The application decides under the workspace's lock and tells the caller everything about a conflict. What follows decides
-- once more, inside the database, for a writer that does not ask the application: another program, a person with psql, a
-- bug of ours. A statement that would leave two live claims of one repository overlapping, not both of them shared, fails
-- with exclusion_violation (23P01) and a message that names both. Ending and deleting are always allowed.
--
-- How it holds under races: each check takes the lock that the application takes (the workspace's row in `journals`), and
-- reads the clock and the other claims in statements after it, whose snapshots are younger than the wait. That is what READ
-- COMMITTED gives, so other isolation levels are refused. A writer that locks rows of `claims` before that lock can deadlock
-- with the application; PostgreSQL then ends one of the two, and the application tries again.
--
-- What it cannot know is whether a key was folded as src/modules/claim/case-fold.ts folds: it compares keys as they are, and
-- refuses only those that cannot come from there (the check constraint below).
--
-- What it costs: 0.4 ms a claim at 1,000 live claims in the workspace (1.4 ms instead of 1.0 for the transaction that takes the
-- lock and writes the claim; 3 % of a whole claim_scope call), 6 ms on 13.5 at 200 paths, 15 us for each candidate that
-- must be compared as a glob, nothing for ending. Two shared cores, PostgreSQL 18.4, triggers enabled and disabled in turn.
-- Two patterns built to be hard, at the limits of what parses, take up to 0.4 s (0.03 s in the application); a claim that meets a
-- dozen such ends at its time limit, unclaimed.
--
-- The decision is src/modules/claim/overlap.ts, function by function, for keys instead of parsed patterns; a change to one is
-- a change to both, and test/modules/claim/guard.test.ts compares them.

-- What `parsePattern` makes of any path: no other form is found by the prefix, or decided rightly by the functions below.
ALTER TABLE "claim_paths" ADD CONSTRAINT "claim_paths_well_formed" CHECK (
  "key" COLLATE "C" !~ '[A-Z\\[:cntrl:]]|^$|^/|//|/$|[^/]\*\*|\*\*[^/]|(^|/)\*\*/\*\*(/|$)'
  AND CASE
    WHEN "key" ~ '[*?]' THEN "kind" = 'glob' AND "prefix" = regexp_replace(substring("key" FROM '^[^*?]*'), '/?[^/]*$', '')
    ELSE "kind" = 'literal' AND "prefix" = "key"
  END
);
--> statement-breakpoint

-- EXPANDED_KEYS of case-fold.ts: keys of two or three characters that one single character can have, which `?` takes whole.
CREATE FUNCTION "claim_expanded_keys"() RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT ARRAY[
    'ff', 'ffi', 'ffl', 'fi', 'fl', 'ss', 'st', E'a\u02be', E'i\u0307', E'\u02bcn',
    E'\u0565\u0582', E'\u0574\u0565', E'\u0574\u056b', E'\u0574\u056d', E'\u0574\u0576', E'\u057e\u0576',
    E'\u03ac\u03b9', E'\u03ae\u03b9', E'\u03b1\u03b9', E'\u03b7\u03b9', E'\u03c9\u03b9', E'\u03ce\u03b9',
    E'\u1f00\u03b9', E'\u1f01\u03b9', E'\u1f02\u03b9', E'\u1f03\u03b9', E'\u1f04\u03b9', E'\u1f05\u03b9',
    E'\u1f06\u03b9', E'\u1f07\u03b9', E'\u1f20\u03b9', E'\u1f21\u03b9', E'\u1f22\u03b9', E'\u1f23\u03b9',
    E'\u1f24\u03b9', E'\u1f25\u03b9', E'\u1f26\u03b9', E'\u1f27\u03b9', E'\u1f60\u03b9', E'\u1f61\u03b9',
    E'\u1f62\u03b9', E'\u1f63\u03b9', E'\u1f64\u03b9', E'\u1f65\u03b9', E'\u1f66\u03b9', E'\u1f67\u03b9',
    E'\u1f70\u03b9', E'\u1f74\u03b9', E'\u1f7c\u03b9', E'\u1fb6\u03b9', E'\u1fc6\u03b9', E'\u1ff6\u03b9'
  ]
$$;
--> statement-breakpoint

-- Whether some name matches both segments (`segmentsIntersect`). Bit k of a row, from the left, stands for the k-th character
-- of `b`, the last bit for its end; `row1` to `row3` are what a name can have reached one, two and three characters of `a`
-- further on.
CREATE FUNCTION "claim_segments_meet"(a text, b text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  a_end text;
  b_end text;
BEGIN
  IF a = b OR a = '*' OR b = '*' THEN
    RETURN true;
  END IF;
  -- Before the first and after the last wildcard they must agree, as far as both go: most pairs are settled here.
  a_end := substring(a FROM '^[^*?]*');
  b_end := substring(b FROM '^[^*?]*');
  IF left(a_end, length(b_end)) <> left(b_end, length(a_end)) THEN
    RETURN false;
  END IF;
  a_end := substring(a FROM '[^*?]*$');
  b_end := substring(b FROM '[^*?]*$');
  IF right(a_end, length(b_end)) <> right(b_end, length(a_end)) THEN
    RETURN false;
  END IF;
  DECLARE
    expanded CONSTANT text[] := claim_expanded_keys();
    characters CONSTANT text[] := string_to_array(b, NULL);
    none CONSTANT varbit := repeat('0', length(b) + 1)::varbit;
    stars varbit;
    anys varbit;
    same varbit;
    pairs varbit;
    triples varbit;
    here varbit;
    row1 varbit := ('1' || repeat('0', length(b)))::varbit;
    row2 varbit := none;
    row3 varbit := none;
    token text;
  BEGIN
    SELECT string_agg((c = '*')::integer::text, '' ORDER BY n) || '0',
           string_agg((c = '?')::integer::text, '' ORDER BY n) || '0',
           string_agg((substr(b, n::integer, 2) = ANY (expanded))::integer::text, '' ORDER BY n) || '0',
           string_agg((substr(b, n::integer, 3) = ANY (expanded) AND length(substr(b, n::integer, 3)) = 3)::integer::text, '' ORDER BY n) || '0'
      INTO stars, anys, pairs, triples
      FROM unnest(characters) WITH ORDINALITY AS t(c, n);
    FOR i IN 1 .. length(a) LOOP
      here := row1 | ((row1 & stars) >> 1);
      row1 := row2;
      row2 := row3;
      row3 := none;
      CONTINUE WHEN here = none;
      token := substr(a, i, 1);
      IF token = '*' THEN
        row1 := row1 | (~none >> (position(B'1' IN here) - 1));
        CONTINUE;
      END IF;
      row1 := row1 | (here & stars);
      IF token = '?' THEN
        row1 := row1 | (here >> 1) | ((here & pairs) >> 2) | ((here & triples) >> 3);
        CONTINUE;
      END IF;
      SELECT string_agg((c = token)::integer::text, '' ORDER BY n) || '0' INTO same
        FROM unnest(characters) WITH ORDINALITY AS t(c, n);
      row1 := row1 | ((here & (same | anys)) >> 1);
      IF substr(a, i, 2) = ANY (expanded) THEN
        row2 := row2 | ((here & anys) >> 1);
      END IF;
      IF substr(a, i, 3) = ANY (expanded) AND length(substr(a, i, 3)) = 3 THEN
        row3 := row3 | ((here & anys) >> 1);
      END IF;
    END LOOP;
    RETURN get_bit(row1 | ((row1 & stars) >> 1), length(b)) = 1;
  END;
END
$$;
--> statement-breakpoint

-- Whether some path matches both patterns (`pathsIntersect`). A key without wildcards means all below it, too.
CREATE FUNCTION "claim_keys_overlap"(a_key text, b_key text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  a CONSTANT text[] := string_to_array(a_key || CASE WHEN a_key ~ '[*?]' THEN '' ELSE '/**' END, '/');
  b CONSTANT text[] := string_to_array(b_key || CASE WHEN b_key ~ '[*?]' THEN '' ELSE '/**' END, '/');
  reached boolean[] := array_fill(false, ARRAY[cardinality(a) + 1, cardinality(b) + 1]);
  p text;
  q text;
BEGIN
  reached[1][1] := true;
  FOR i IN 1 .. cardinality(a) + 1 LOOP
    FOR j IN 1 .. cardinality(b) + 1 LOOP
      CONTINUE WHEN NOT reached[i][j];
      p := a[i];
      q := b[j];
      IF p = '**' OR q = '**' THEN
        IF p IS NOT NULL THEN
          reached[i + 1][j] := true;
        END IF;
        IF q IS NOT NULL THEN
          reached[i][j + 1] := true;
        END IF;
      ELSIF claim_segments_meet(p, q) THEN
        reached[i + 1][j + 1] := true;
      END IF;
    END LOOP;
  END LOOP;
  RETURN reached[cardinality(a) + 1][cardinality(b) + 1];
END
$$;
--> statement-breakpoint

-- Takes the workspace's lock and returns its clock, as `lockWorkspace` in src/journal/journal.ts does.
CREATE FUNCTION "claim_guard_lock"(workspace text) RETURNS timestamptz
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  moment timestamptz;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'claims are written in READ COMMITTED transactions only'
      USING ERRCODE = 'feature_not_supported', HINT = 'The guard must see what others committed while it waited for the lock.';
  END IF;
  PERFORM FROM journals WHERE workspace_id = workspace FOR UPDATE;
  SELECT greatest(clock, clock_timestamp()) INTO moment FROM journals WHERE workspace_id = workspace;
  IF moment IS NULL THEN
    RAISE EXCEPTION 'workspace % has no journal, so it can have no claims', workspace USING ERRCODE = 'foreign_key_violation';
  END IF;
  RETURN moment;
END
$$;
--> statement-breakpoint

-- Refuses if one of these claims, being live at `moment`, overlaps a live one of another session. Candidates come from the
-- index on the prefix: `prefixProbes` of overlap.ts, for each path by itself.
--
-- Each step is a LATERAL with OFFSET 0, which the planner neither reorders nor merges, and with conditions that one index
-- serves best. So the plan is the same whatever the statistics say, and may be kept for good: a plan made while the tables
-- were nearly empty, left to itself, began with all live claims of the workspace (57 ms a claim, at 1,000 of them).
CREATE FUNCTION "claim_guard_check"(workspace text, claim_ids text[], moment timestamptz) RETURNS void
LANGUAGE plpgsql
SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $$
DECLARE
  clash record;
BEGIN
  SELECT mine.id, mine.session_id AS session, path.display AS path,
         theirs.id AS their_id, theirs.session_id AS their_session, near.display AS their_path
    INTO clash
    FROM unnest(claim_ids) AS asked(id)
    CROSS JOIN LATERAL (SELECT * FROM claims WHERE workspace_id = workspace AND id = asked.id OFFSET 0) AS mine
    CROSS JOIN LATERAL (SELECT * FROM claim_paths WHERE workspace_id = workspace AND claim_id = mine.id OFFSET 0) AS path
    CROSS JOIN LATERAL (
        SELECT found.*
          FROM generate_series(0, cardinality(string_to_array(path.prefix, '/'))) AS depth
          CROSS JOIN LATERAL (
            SELECT * FROM claim_paths
             WHERE workspace_id = workspace AND repo_id = path.repo_id
               AND prefix COLLATE "C" = array_to_string((string_to_array(path.prefix, '/'))[1:depth], '/')
            OFFSET 0
          ) AS found
      UNION ALL
        SELECT * FROM claim_paths
         WHERE workspace_id = workspace AND repo_id = path.repo_id
           AND prefix COLLATE "C" > CASE path.prefix WHEN '' THEN '' ELSE path.prefix || '/' END
           AND prefix COLLATE "C" < CASE path.prefix WHEN '' THEN chr(1114111) ELSE path.prefix || '0' END
      OFFSET 0
    ) AS near
    CROSS JOIN LATERAL (SELECT * FROM claims WHERE workspace_id = workspace AND id = near.claim_id OFFSET 0) AS theirs
   WHERE mine.ended_at IS NULL AND mine.expires_at > moment
     AND theirs.ended_at IS NULL AND theirs.expires_at > moment
     AND theirs.session_id <> mine.session_id
     AND (theirs.mode <> 'shared' OR mine.mode <> 'shared')
     AND CASE WHEN path.kind = 'literal' AND near.kind = 'literal' THEN true ELSE claim_keys_overlap(path.key, near.key) END
   LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'claim % of session % on "%" overlaps the live claim % of session % on "%"',
      clash.id, clash.session, clash.path, clash.their_id, clash.their_session, clash.their_path
      USING ERRCODE = 'exclusion_violation', CONSTRAINT = 'claims_do_not_overlap', TABLE = 'claims';
  END IF;
  -- A lease that was passed over because it had run out must have run out for everybody after us, too, even if the system's
  -- clock steps back: the high-water clock says so. The application has such claims ended before it comes here.
  UPDATE journals SET clock = moment
   WHERE workspace_id = workspace AND clock < moment
     AND EXISTS (SELECT FROM claims WHERE workspace_id = workspace AND ended_at IS NULL AND expires_at <= moment);
END
$$;
--> statement-breakpoint

CREATE FUNCTION "guard_claim_paths"() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  touched record;
  moment timestamptz;
BEGIN
  FOR touched IN
    SELECT workspace_id, array_agg(DISTINCT claim_id) AS claim_ids FROM written GROUP BY workspace_id ORDER BY workspace_id
  LOOP
    moment := claim_guard_lock(touched.workspace_id);
    -- Candidates are looked up by the repository of the path, so it must be that of the claim.
    IF EXISTS (
      SELECT FROM written AS path
        LEFT JOIN claims AS claim ON claim.workspace_id = path.workspace_id AND claim.id = path.claim_id
       WHERE path.workspace_id = touched.workspace_id AND claim.repo_id IS DISTINCT FROM path.repo_id
    ) THEN
      RAISE EXCEPTION 'a path is written after its claim, and for the same repository' USING ERRCODE = 'foreign_key_violation';
    END IF;
    PERFORM claim_guard_check(touched.workspace_id, touched.claim_ids, moment);
  END LOOP;
  RETURN NULL;
END
$$;
--> statement-breakpoint

-- For a claim that is not ended: a new one, or one that a change may have brought to life or into somebody's way.
CREATE FUNCTION "guard_claim"() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  moment CONSTANT timestamptz := claim_guard_lock(NEW.workspace_id);
BEGIN
  -- A renewal: what was live and stays the same was judged when it came.
  IF TG_OP = 'UPDATE' AND OLD.ended_at IS NULL AND OLD.expires_at > moment
     AND (NEW.workspace_id, NEW.id, NEW.session_id, NEW.repo_id, NEW.mode) = (OLD.workspace_id, OLD.id, OLD.session_id, OLD.repo_id, OLD.mode)
  THEN
    RETURN NULL;
  END IF;
  IF EXISTS (
    SELECT FROM claim_paths
     WHERE workspace_id = NEW.workspace_id AND claim_id = NEW.id AND repo_id <> NEW.repo_id
  ) THEN
    RAISE EXCEPTION 'claim % has paths of another repository', NEW.id USING ERRCODE = 'foreign_key_violation';
  END IF;
  PERFORM claim_guard_check(NEW.workspace_id, ARRAY[NEW.id], moment);
  RETURN NULL;
END
$$;
--> statement-breakpoint

CREATE TRIGGER "guard_inserted_paths" AFTER INSERT ON "claim_paths"
  REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION "guard_claim_paths"();
--> statement-breakpoint
CREATE TRIGGER "guard_updated_paths" AFTER UPDATE ON "claim_paths"
  REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION "guard_claim_paths"();
--> statement-breakpoint
CREATE TRIGGER "guard_inserted_claim" AFTER INSERT ON "claims"
  FOR EACH ROW WHEN (NEW."ended_at" IS NULL) EXECUTE FUNCTION "guard_claim"();
--> statement-breakpoint
CREATE TRIGGER "guard_updated_claim" AFTER UPDATE ON "claims"
  FOR EACH ROW WHEN (
    NEW."ended_at" IS NULL AND (
      OLD."ended_at" IS NOT NULL OR NEW."expires_at" > OLD."expires_at"
      OR (NEW."workspace_id", NEW."id", NEW."session_id", NEW."repo_id", NEW."mode")
         <> (OLD."workspace_id", OLD."id", OLD."session_id", OLD."repo_id", OLD."mode")
    )
  ) EXECUTE FUNCTION "guard_claim"();
