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
 * Most calls of workers are functions, for the sake of their plans. A table that fills and empties within a minute has
 * statistics that are mostly wrong, and a plan that sorts what is due costs as much as the whole backlog. These functions
 * are planned for the indexes whatever the statistics say, once a connection, also behind a pooler.
 *
 * They lock tasks in one statement and change them in another, by their places in the table: there is no second search,
 * and the later statement sees what the lock has waited for. One token or revision is enough for all tasks of a call,
 * taken once they are locked: it has to be new to each of them only. What is added is added as if none of it were there,
 * and again with ON CONFLICT where some is: that alone costs a third more.
 *
 * For the same reason the index of the oldest entries is on an expression: a plain one offers an order in which the
 * history of one task can be read by walking past that of all others.
 *
 * @param p what the names of tables, sequence and functions begin with, schema included
 * @param n the same without the schema, for indexes
 */
export function steps(p: string, n: string): readonly string[] {
  const planned = ['seqscan', 'bitmapscan', 'hashjoin', 'mergejoin', 'sort']
    .map((node) => `SET enable_${node} = off`)
    .join(' ');
  // Read in the statement that writes, which has locked the table by then: claims rely on it (see ClaimStarts).
  const now = `(SELECT ${timeOr('given')})`;
  const addTasks = `INSERT INTO ${p}_tasks
    (id, serial, name, queue, group_name, status, paused, run_at, revision, written_at, body)
  SELECT coalesce(r.id, ''), number * 8192 + n, k.name, k.queue, k."group", k.status, k.paused,
    r.run_at, number, ${now}, coalesce(r.body, '')
  FROM unnest(string_to_array(ids, separator), kind, run_ats, string_to_array(bodies, separator))
    WITH ORDINALITY AS r(id, kind, run_at, body, n)
  JOIN ROWS FROM (json_to_recordset(kinds) AS (
    name text, queue text, "group" text, status text, paused boolean
  )) WITH ORDINALITY AS k ON k.ordinality = r.kind
  ORDER BY r.id COLLATE "C"`;
  const addHistory = `INSERT INTO ${p}_history (task_id, id, at, seq, body)
  SELECT coalesce(task_id, ''), coalesce(id, ''), at, number * 1048576 + e.ordinality, coalesce(body, '')
  FROM unnest(noting, string_to_array(note_tasks, separator), string_to_array(note_ids, separator),
    note_ats, string_to_array(note_bodies, separator)) WITH ORDINALITY AS e(n, task_id, id, at, body)
  WHERE places[n] IS NOT NULL`;
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
  seq bigint NOT NULL,
  task_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  at bigint NOT NULL,
  body text NOT NULL,
  PRIMARY KEY (task_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_limit = 2000);
CREATE INDEX ${n}_oldest ON ${p}_history ((at + 0));

CREATE FUNCTION ${p}_insert(
  separator text, ids text, kinds json, kind integer[], run_ats bigint[], bodies text, given bigint
) RETURNS json LANGUAGE plpgsql SET jit = off SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  number bigint := nextval('${p}_counter');
BEGIN
  BEGIN
    IF cardinality(kind) > 1 THEN
      ${addTasks};
      RETURN NULL;
    END IF;
  EXCEPTION WHEN unique_violation THEN
  END;
  ${addTasks} ON CONFLICT (id) DO NOTHING;
  RETURN array_to_json(ARRAY(
    SELECT n - 1 FROM unnest(string_to_array(ids, separator), kind) WITH ORDINALITY AS r(id, kind, n)
    WHERE (SELECT revision FROM ${p}_tasks AS t WHERE t.id = coalesce(r.id, '')) IS DISTINCT FROM number));
END $$;

CREATE FUNCTION ${p}_claim(
  queues json, ats bigint[], serials bigint[], room bigint, owner text, lease_ms bigint,
  probe boolean, after bigint, given bigint
) RETURNS TABLE (
  id text, name text, queue text, group_name text, run_at text, body text, resumed_at text,
  token text, deliveries text, revision text, lapsed text
) LANGUAGE plpgsql
SET jit = off SET plan_cache_mode = force_generic_plan ${planned} AS $$
#variable_conflict use_column
DECLARE
  moment bigint := ${timeOr('given')};
  asked text;
  start bigint;
  start_serial bigint;
  late bigint;
  places tid[];
  owners text[];
  number bigint;
  first json;
  firsts json[];
BEGIN
  FOR i IN 1..cardinality(ats) LOOP
    asked := queues->>(i - 1);
    start := ats[i];
    start_serial := serials[i];
    SELECT wake_at INTO late FROM ${p}_tasks
    WHERE queue = asked AND wake_at < written_at - 250 ORDER BY wake_at LIMIT 1;
    IF moment < after THEN
      late := ${-9e15};
    END IF;
    IF late < start THEN
      start := late;
      start_serial := 0;
    END IF;
    IF room > 0 THEN
      SELECT array_agg(place), array_agg(lease_owner) INTO places, owners FROM (
        SELECT ctid AS place, lease_owner FROM ${p}_tasks
        WHERE queue = asked AND (wake_at, serial) >= (start, start_serial) AND wake_at <= moment
        ORDER BY wake_at, serial LIMIT room FOR UPDATE SKIP LOCKED
      ) AS due;
      IF places IS NOT NULL THEN
        number := nextval('${p}_counter');
        room := room - cardinality(places);
        RETURN QUERY UPDATE ${p}_tasks AS t SET lease_token = number, lease_owner = owner,
          lease_expires_at = moment + lease_ms, deliveries = t.deliveries + 1
        FROM unnest(places, owners) AS due(place, lapsed) WHERE t.ctid = place
        RETURNING t.id, t.name, t.queue, t.group_name, t.run_at::text, t.body, t.resumed_at::text,
          lease_token::text, t.deliveries::text, t.revision::text, lapsed;
      END IF;
    END IF;
    SELECT json_build_array(wake_at, serial::text) INTO first FROM ${p}_tasks
    WHERE queue = asked AND (wake_at, serial) >= (start, start_serial) AND wake_at IS NOT NULL
    ORDER BY wake_at, serial LIMIT 1;
    firsts := array_append(firsts, first);
  END LOOP;
  body := json_build_array(moment, moment + lease_ms, firsts, CASE WHEN probe THEN ARRAY(
    SELECT virtualtransaction FROM pg_locks
    WHERE relation = '${p}_tasks'::regclass AND mode = 'RowExclusiveLock'
      AND pid IS DISTINCT FROM pg_backend_pid()
  ) END);
  RETURN NEXT;
END $$;

CREATE FUNCTION ${p}_settle(
  separator text, ids text, tokens bigint[], revisions bigint[],
  keeps boolean[], statuses text, run_ats bigint[], bodies text, pauses boolean[],
  noting integer[], note_tasks text, note_ids text, note_ats bigint[], note_bodies text,
  spawning integer[], spawn_ids text, kinds json, kind integer[], spawn_ats bigint[], spawn_bodies text,
  given bigint, forget json
) RETURNS json LANGUAGE plpgsql
SET jit = off SET plan_cache_mode = force_generic_plan ${planned} AS $$
DECLARE
  number bigint;
  places tid[];
  wakes bigint[];
  refused json;
  woken json;
  existing json;
BEGIN
  SELECT array_agg(CASE WHEN verdict = 'applied' THEN place END), array_agg(was),
    json_object_agg(n - 1, verdict) FILTER (WHERE verdict <> 'applied')
  INTO places, wakes, refused
  FROM (
    SELECT s.n, t.place, t.wake_at AS was, CASE
      WHEN t.settled_token = s.token THEN 'settled'
      WHEN t.lease_token = s.token IS NOT TRUE THEN 'lost'
      WHEN t.revision <> s.revision THEN 'conflict'
      ELSE 'applied' END AS verdict
    FROM (
      SELECT coalesce(id, '') COLLATE "C" AS id, token, revision, n
      FROM unnest(string_to_array(ids, separator), tokens, revisions)
        WITH ORDINALITY AS s(id, token, revision, n)
      ORDER BY 1
    ) AS s
    LEFT JOIN LATERAL (
      SELECT ctid AS place, lease_token, settled_token, revision, wake_at FROM ${p}_tasks
      WHERE id = s.id FOR UPDATE
    ) AS t ON true
    ORDER BY s.n
  ) AS held;
  number := nextval('${p}_counter');
  IF true <> ALL(keeps) THEN
    DELETE FROM ${p}_tasks WHERE ctid = ANY(places);
  ELSE
    DELETE FROM ${p}_tasks WHERE ctid = ANY(ARRAY(
      SELECT place FROM unnest(places, keeps) AS s(place, kept) WHERE NOT kept));
    WITH written AS (
      UPDATE ${p}_tasks AS t SET status = n.status, run_at = n.run_at, body = coalesce(n.body, ''),
        paused = t.paused OR n.paused IS TRUE, lease_token = NULL, lease_owner = NULL,
        lease_expires_at = NULL, deliveries = 0, revision = number,
        settled_token = lease_token, written_at = ${now}
      FROM unnest(places, wakes, keeps, string_to_array(statuses, separator), run_ats,
        string_to_array(bodies, separator), pauses) AS n(place, was, kept, status, run_at, body, paused)
      WHERE t.ctid = n.place AND kept
      RETURNING t.queue, t.wake_at, was
    )
    SELECT json_agg(json_build_array(queue, wake_at)) INTO woken FROM (
      SELECT queue, min(wake_at) AS wake_at FROM written
      WHERE wake_at IS NOT NULL AND wake_at < was IS NOT FALSE GROUP BY queue
    ) AS w;
  END IF;
  IF cardinality(noting) > 0 THEN
    BEGIN
      ${addHistory};
    EXCEPTION WHEN unique_violation THEN
      ${addHistory} ON CONFLICT DO NOTHING;
    END;
  END IF;
  IF cardinality(spawning) > 0 THEN
    existing := ${p}_insert(separator, spawn_ids, kinds, ARRAY(
      SELECT CASE WHEN places[n] IS NOT NULL THEN k END
      FROM unnest(spawning, kind) WITH ORDINALITY AS s(n, k, i) ORDER BY i
    ), spawn_ats, spawn_bodies, given);
  END IF;
  IF forget IS NOT NULL THEN
    DELETE FROM ${p}_history WHERE ctid = ANY(ARRAY(
      SELECT row FROM json_array_elements_text(forget->'tasks') AS task, LATERAL (
        SELECT ctid AS row FROM ${p}_history WHERE task_id = task
        ORDER BY at DESC, seq DESC OFFSET (forget->>'keep')::bigint FOR UPDATE SKIP LOCKED
      ) AS excess));
    DELETE FROM ${p}_history WHERE ctid = ANY(ARRAY(
      SELECT ctid FROM ${p}_history WHERE at + 0 < ${now} - (forget->>'age')::bigint
      ORDER BY at + 0 LIMIT (forget->>'stale')::bigint FOR UPDATE SKIP LOCKED));
  END IF;
  RETURN json_build_array(refused, woken, existing);
END $$;

CREATE FUNCTION ${p}_read(task text, age bigint, most bigint, given bigint) RETURNS SETOF json LANGUAGE plpgsql
SET jit = off SET plan_cache_mode = force_generic_plan ${planned} AS $$
BEGIN
  RETURN QUERY SELECT json_build_array(id, at, body) FROM ${p}_history
  WHERE task_id = task AND at >= coalesce(${timeOr('given')} - age, at)
  ORDER BY at DESC, seq DESC LIMIT most;
END $$;

CREATE FUNCTION ${p}_latest(
  from_at bigint, from_seq bigint, age bigint, most bigint, given bigint
) RETURNS SETOF json LANGUAGE plpgsql
SET jit = off SET plan_cache_mode = force_generic_plan ${planned} AS $$
DECLARE
  oldest bigint := coalesce(${timeOr('given')} - age, ${-9e15});
BEGIN
  RETURN QUERY SELECT json_build_array(task_id, id, at, body, seq::text) FROM ${p}_history
  WHERE at + 0 >= oldest AND at + 0 <= from_at AND (at < from_at OR seq < from_seq)
  ORDER BY at + 0 DESC, seq DESC LIMIT most;
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
