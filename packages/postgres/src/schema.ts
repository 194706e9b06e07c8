import { isSchemaCurrent } from '@sched/core/adapter';
import type { PgQueryable } from './client.js';
import type { Settings } from './options.js';

/** The store's time: the injected clock's if one is given, or else the server's. */
export const timeOr = (given: string) =>
  `coalesce(${given}, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint)`;

/**
 * What leads from each version to the next; the first entry starts from nothing. Entries never change once released,
 * and the functions that they create stay, because processes of the version before go on calling them.
 *
 * Three calls are functions, for the sake of their plans. A table that fills and empties within a minute has statistics
 * that are mostly wrong, and a plan that sorts what is due costs as much as the whole backlog. These functions are
 * planned for the indexes whatever the statistics say, once a connection, also behind a pooler.
 *
 * For the same reason the index of the oldest entries is on an expression: a plain one offers an order in which the
 * history of one task can be read by walking past that of all others.
 *
 * @param p what the names of tables, sequence and functions begin with, schema included
 * @param n the same without the schema, for indexes
 */
function steps(p: string, n: string): readonly string[] {
  const planned = ['seqscan', 'bitmapscan', 'hashjoin', 'mergejoin', 'sort']
    .map((node) => `SET enable_${node} = off`)
    .join(' ');
  return [
    `
CREATE TABLE ${p}_meta (key text PRIMARY KEY, value bigint NOT NULL);
INSERT INTO ${p}_meta VALUES ('schema', 1);
CREATE SEQUENCE ${p}_counter MAXVALUE ${Number.MAX_SAFE_INTEGER};

CREATE TABLE ${p}_tasks (
  id text COLLATE "C" PRIMARY KEY,
  serial bigint NOT NULL,
  name text COLLATE "C" NOT NULL,
  queue text COLLATE "C" NOT NULL,
  group_name text COLLATE "C",
  status text NOT NULL CHECK (status IN ('scheduled', 'finished', 'failed')),
  paused boolean NOT NULL,
  run_at bigint,
  resumed_at bigint,
  lease_token bigint,
  lease_owner text,
  lease_expires_at bigint,
  settled_token bigint,
  deliveries integer NOT NULL DEFAULT 0,
  revision bigint NOT NULL,
  written_at bigint NOT NULL,
  wake_at bigint GENERATED ALWAYS AS (
    CASE WHEN status = 'scheduled' AND NOT paused THEN coalesce(lease_expires_at, run_at) END
  ) STORED,
  body text NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_limit = 2000);
CREATE INDEX ${n}_due ON ${p}_tasks (queue, wake_at, serial) WHERE wake_at IS NOT NULL;
CREATE INDEX ${n}_late ON ${p}_tasks (queue, wake_at) WHERE wake_at < written_at - 250;
CREATE INDEX ${n}_group ON ${p}_tasks (group_name, id) WHERE group_name IS NOT NULL;

CREATE TABLE ${p}_history (
  seq bigint GENERATED ALWAYS AS IDENTITY,
  task_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  at bigint NOT NULL,
  body text NOT NULL,
  PRIMARY KEY (task_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_limit = 2000);
CREATE INDEX ${n}_newest ON ${p}_history (task_id, at, seq);
CREATE INDEX ${n}_oldest ON ${p}_history ((at + 0));

CREATE FUNCTION ${p}_insert(records json, given bigint) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  positions json;
BEGIN
  WITH clock AS (SELECT ${timeOr('given')} AS now),
  fresh AS (
    SELECT r.*, nextval('${p}_counter') AS number
    FROM ROWS FROM (json_to_recordset(records) AS (
      id text, name text, queue text, "group" text,
      status text, paused boolean, "runAt" bigint, body text
    )) WITH ORDINALITY AS r
  ),
  inserted AS (
    INSERT INTO ${p}_tasks
      (id, serial, name, queue, group_name, status, paused, run_at, revision, written_at, body)
    SELECT id, number, name, queue, "group", status, paused, "runAt", number, now, body
    FROM (
      SELECT DISTINCT ON (id COLLATE "C") * FROM fresh ORDER BY id COLLATE "C", ordinality
    ) AS first, clock
    ON CONFLICT (id) DO NOTHING
    RETURNING serial
  )
  SELECT json_agg(ordinality - 1) INTO positions FROM inserted JOIN fresh ON number = serial;
  RETURN positions;
END $$;

CREATE FUNCTION ${p}_claim(request json, given bigint) RETURNS SETOF json LANGUAGE plpgsql
SET jit = off SET plan_cache_mode = force_generic_plan ${planned} AS $$
DECLARE
  moment bigint := ${timeOr('given')};
  ends bigint := moment + (request->>'leaseMs')::bigint;
  room bigint := (request->>'limit')::bigint;
  taken bigint;
  start record;
  late bigint;
  first json;
  firsts json[];
BEGIN
  FOR start IN
    SELECT s->>0 AS queue, (s->>1)::bigint AS at, (s->>2)::bigint AS number
    FROM json_array_elements(request->'starts') AS s
  LOOP
    SELECT wake_at INTO late FROM ${p}_tasks
    WHERE queue = start.queue AND wake_at < written_at - 250 ORDER BY wake_at LIMIT 1;
    IF moment < (request->>'after')::bigint THEN
      late := ${-9e15};
    END IF;
    IF late < start.at THEN
      start.at := late;
      start.number := 0;
    END IF;
    IF room > 0 THEN
      RETURN QUERY WITH due AS (
        SELECT id, wake_at AS due_at, lease_owner AS lapsed FROM ${p}_tasks
        WHERE queue = start.queue AND (wake_at, serial) >= (start.at, start.number) AND wake_at <= moment
        ORDER BY wake_at, serial LIMIT room FOR UPDATE SKIP LOCKED
      ),
      leased AS (
        UPDATE ${p}_tasks AS t SET lease_token = nextval('${p}_counter'),
          lease_owner = request->>'owner', lease_expires_at = ends, deliveries = deliveries + 1
        FROM due WHERE t.id = due.id
        RETURNING t.*, due_at, lapsed
      )
      SELECT json_build_array(id, name, queue, group_name, status, paused, run_at, body, resumed_at,
        lease_token, lease_owner, lease_expires_at, deliveries, revision, wake_at, lapsed)
      FROM leased ORDER BY due_at, serial;
      GET DIAGNOSTICS taken = ROW_COUNT;
      room := room - taken;
    END IF;
    SELECT json_build_array(wake_at, serial) INTO first FROM ${p}_tasks
    WHERE queue = start.queue AND (wake_at, serial) >= (start.at, start.number) AND wake_at IS NOT NULL
    ORDER BY wake_at, serial LIMIT 1;
    firsts := array_append(firsts, first);
  END LOOP;
  RETURN NEXT json_build_array(moment, firsts, CASE WHEN (request->>'probe')::boolean THEN ARRAY(
    SELECT virtualtransaction FROM pg_locks
    WHERE relation = '${p}_tasks'::regclass AND mode = 'RowExclusiveLock'
      AND pid IS DISTINCT FROM pg_backend_pid()
  ) END);
END $$;

CREATE FUNCTION ${p}_settle(settlements json, given bigint, forget json) RETURNS json LANGUAGE plpgsql
SET jit = off SET plan_cache_mode = force_generic_plan ${planned} AS $$
DECLARE
  verdicts json;
  wakes json;
  spawned json;
  oldest bigint := ${timeOr('given')} - (forget->>'age')::bigint;
BEGIN
  WITH clock AS (SELECT ${timeOr('given')} AS now),
  held AS (
    SELECT s.*, t.wake_at AS was, CASE
      WHEN t.settled_token = s.token THEN 'settled'
      WHEN t.lease_token = s.token IS NOT TRUE THEN 'lost'
      WHEN t.revision <> s.revision THEN 'conflict'
      ELSE 'applied' END AS verdict
    FROM (
      SELECT * FROM ROWS FROM (json_to_recordset(settlements) AS (
        id text, token bigint, revision bigint, next json, history json, spawn json
      )) WITH ORDINALITY ORDER BY id COLLATE "C"
    ) AS s
    LEFT JOIN LATERAL (
      SELECT lease_token, settled_token, revision, wake_at FROM ${p}_tasks WHERE id = s.id FOR UPDATE
    ) AS t ON true
  ),
  written AS (
    UPDATE ${p}_tasks AS t SET status = n.status, run_at = n."runAt", body = n.body,
      paused = t.paused OR n.paused IS TRUE, lease_token = NULL, lease_owner = NULL,
      lease_expires_at = NULL, deliveries = 0, revision = nextval('${p}_counter'),
      settled_token = h.token, written_at = now
    FROM clock, held AS h, LATERAL json_to_record(h.next) AS n(
      status text, "runAt" bigint, body text, paused boolean
    )
    WHERE (SELECT count(*) FROM held) > 0 AND t.id = h.id AND verdict = 'applied' AND next IS NOT NULL
    RETURNING t.queue, t.wake_at, was
  ),
  removed AS (
    DELETE FROM ${p}_tasks AS t USING held AS h
    WHERE (SELECT count(*) FROM held) > 0 AND t.id = h.id AND verdict = 'applied' AND next IS NULL
  ),
  noted AS (
    INSERT INTO ${p}_history (task_id, id, at, body)
    SELECT e."taskId", e.id, e.at, e.body
    FROM held AS h, ROWS FROM (json_to_recordset(history) AS (
      "taskId" text, id text, at bigint, body text
    )) WITH ORDINALITY AS e
    WHERE verdict = 'applied' ORDER BY h.ordinality, e.ordinality
    ON CONFLICT DO NOTHING
  )
  SELECT
    (SELECT json_agg(verdict ORDER BY ordinality) FROM held),
    (SELECT json_agg(json_build_array(queue, wake_at)) FROM (
      SELECT queue, min(wake_at) AS wake_at FROM written
      WHERE wake_at IS NOT NULL AND wake_at < was IS NOT FALSE GROUP BY queue
    ) AS w),
    (SELECT json_agg(s ORDER BY h.ordinality, n)
      FROM held AS h, json_array_elements(spawn) WITH ORDINALITY AS e(s, n) WHERE verdict = 'applied')
  INTO verdicts, wakes, spawned;
  IF spawned IS NOT NULL THEN
    spawned := ${p}_insert(spawned, given);
  END IF;
  IF forget IS NOT NULL THEN
    DELETE FROM ${p}_history WHERE ctid = ANY(ARRAY(
      SELECT row FROM json_array_elements_text(forget->'tasks') AS task, LATERAL (
        SELECT ctid AS row FROM ${p}_history WHERE task_id = task
        ORDER BY at DESC, seq DESC OFFSET (forget->>'keep')::bigint FOR UPDATE SKIP LOCKED
      ) AS excess));
    DELETE FROM ${p}_history WHERE ctid = ANY(ARRAY(
      SELECT ctid FROM ${p}_history WHERE at + 0 < oldest
      ORDER BY at + 0 LIMIT (forget->>'stale')::bigint FOR UPDATE SKIP LOCKED));
  END IF;
  RETURN json_build_array(verdicts, wakes, spawned);
END $$;
`,
  ];
}

/**
 * Brings the schema to the version that this code works with, or finds it there.
 *
 * @param client one connection, not in a transaction
 * @throws SchedError `SCHED_STORE_SCHEMA` when the schema is newer, or is not current and must not be changed
 */
export async function migrate(client: PgQueryable, settings: Settings): Promise<void> {
  const { schema } = settings;
  if ((await missing(client, settings)).length === 0) return;
  await client.query('BEGIN');
  try {
    // Of several processes that open a fresh database the first creates the schema, and the others find it.
    const lock = 'SELECT pg_advisory_xact_lock(hashtext($1), hashtext($2))';
    await client.query(lock, ['@sched/postgres', schema]);
    // Not IF NOT EXISTS, which asks for the privilege to create it even where it exists; and read from the table, for
    // what a connection remembers may be older than the lock.
    const found = `SELECT FROM pg_namespace WHERE format('"%s"', nspname) = $1`;
    const { rows } = await client.query(found, [schema]);
    if (rows.length === 0) await client.query(`CREATE SCHEMA ${schema}`);
    for (const step of await missing(client, settings)) await client.query(step);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
}

/** What has to be done to the schema. */
async function missing(client: PgQueryable, settings: Settings): Promise<readonly string[]> {
  const { prefix, namespace } = settings;
  const all = steps(prefix, namespace);
  let version = 0;
  const { rows } = await client.query('SELECT to_regclass($1) AS found', [`${prefix}_meta`]);
  if (rows[0]?.found !== null) {
    const sql = `SELECT value::text FROM ${prefix}_meta WHERE key = 'schema'`;
    version = Number((await client.query(sql)).rows[0]?.value ?? 0);
  }
  isSchemaCurrent({
    what: `The tables ${prefix}_*`,
    adapter: '@sched/postgres',
    found: version,
    known: all.length,
    migrate: settings.migrate,
    settings: 'schema and namespace',
  });
  return all.slice(version);
}
