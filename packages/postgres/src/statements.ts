import { createHash } from 'node:crypto';
import type { TaskFilter, TaskSelector } from '@sched/core';
import { listingHorizon, taskColumns, toConditions } from '@sched/core/adapter';
import { timeOr } from './schema.js';
import type { Statement } from './session.js';

/** `t.id` too, where another table has one. */
const columns = `t.${taskColumns}`;

/** Says how many items there are, for a plan that fits: whatever JSON holds, PostgreSQL counts on a hundred. */
const items = (json: string) => `LIMIT json_array_length(${json})`;

const idsIn = (json: string) =>
  `(SELECT DISTINCT value AS id FROM json_array_elements_text(${json}) ${items(json)})`;

/** After every id: the last character of all, as often as an id can hold it. */
const lastId = 'repeat(chr(1114111), 75)';

/**
 * Every statement of the contract. Its arguments are JSON text in `$1`, the injected time or null is `$2` where it
 * depends on the time, and each row that it gives is JSON text in column `a`.
 *
 * Those that change several tasks lock them in the order of their ids, and all of them before they change the first, so
 * that no two wait for each other: whoever inserts an id waits for those who have changed its task, not for those who
 * have only locked it.
 *
 * @param p what the names of the tables begin with
 */
export function createStatements(p: string) {
  const tasks = `${p}_tasks`;
  const clock = `clock AS (SELECT ${timeOr('$2::bigint')} AS now)`;

  // A pooler may give a connection on which others have prepared theirs, for tables of another name.
  const named = (name: string, text: string): Statement => {
    const digest = createHash('sha256').update(text).digest('base64url').slice(0, 20);
    return { name: `sched_${name}_${digest}`, text };
  };

  const call = (name: string, parameters: number) =>
    `${p}_${name}(${Array.from({ length: parameters }, (_, index) => `$${index + 1}`)})`;

  /** Waits for all locks. */
  const locked = (tasks: string) => `(SELECT count(*) FROM ${tasks}) > 0`;

  /** The tasks of a selector, locked. */
  const chosen = (selector: TaskSelector, and = '') => `chosen AS (
      SELECT t.id FROM ${tasks} AS t ${selection(selector)} ${and} ORDER BY t.id FOR UPDATE OF t
    )`;

  /** The tasks of a list of leases that are still held so, locked, with their positions in the list. */
  const held = (distinct: string, columns: string) => `held AS (
      SELECT l.ordinality - 1 AS position, t.* FROM (
        SELECT ${distinct} * FROM ROWS FROM (json_to_recordset($1::json) AS (
          id text, token bigint, "deferUntil" bigint
        )) WITH ORDINALITY ORDER BY id COLLATE "C", token, ordinality ${items('$1')}
      ) AS l, LATERAL (
        SELECT id, ${columns} FROM ${tasks} WHERE id = l.id AND lease_token = l.token FOR UPDATE
      ) AS t
    )`;

  /** In which queues tasks have come to wake, each with the first moment. */
  const wakes = (from: string) => `(SELECT json_agg(json_build_array(queue, wake_at)) FROM (
      SELECT queue, min(wake_at) AS wake_at FROM ${from} GROUP BY queue
    ) AS w WHERE wake_at IS NOT NULL)`;

  return {
    now: `SELECT ${timeOr('$1::bigint')}::text AS a`,

    insert: named('insert', `SELECT ${call('insert', 7)}::text AS a`),

    get: `SELECT json_build_array(${columns})::text AS a
    FROM ${idsIn('$1')} AS i JOIN ${tasks} AS t ON t.id = i.id`,

    update: `WITH ${clock},
    found AS (SELECT $1::json AS c, t.* FROM ${tasks} AS t WHERE id = $1::json->>'id' FOR UPDATE),
    changed AS (
      UPDATE ${tasks} AS t SET
        name = coalesce(c->>'name', t.name), queue = coalesce(c->>'queue', t.queue),
        group_name = CASE WHEN c->'group' IS NULL THEN t.group_name ELSE c->>'group' END,
        status = coalesce(c->>'status', t.status),
        run_at = CASE WHEN c->'runAt' IS NULL THEN t.run_at ELSE (c->>'runAt')::bigint END,
        body = coalesce(c->>'body', t.body), revision = nextval('${p}_counter'), written_at = now
      FROM found AS f, clock WHERE t.id = f.id AND f.revision = (c->>'revision')::bigint
      RETURNING t.queue, t.wake_at, f.queue AS old_queue, f.wake_at AS was
    )
    SELECT json_build_array((SELECT count(*) FROM found), (SELECT count(*) FROM changed),
      ${wakes('changed WHERE queue <> old_queue OR wake_at < was IS NOT FALSE')})::text AS a`,

    list: ({ group, ...filter }: TaskFilter) => {
      const limit = "LIMIT ($1::json->>'limit')::bigint + 1";
      const matching = conditions(filter);
      if (group === undefined && matching === '') {
        return `SELECT json_build_array(NULL, ${columns})::text AS a FROM (
      SELECT * FROM ${tasks} WHERE id >= $1::json->>'from' ORDER BY id ${limit}
    ) AS t ORDER BY id`;
      }
      // Compared as pairs, a group can be read along its own index only. Otherwise the primary key has the order too,
      // and statistics that are out of date have been seen to prefer a walk through all tasks.
      const [within, order] =
        typeof group === 'string'
          ? [
              `(group_name, id) >= ($1::json->>'group', $1::json->>'from') AND group_name <= $1::json->>'group'`,
              'group_name, id',
            ]
          : [
              `id >= $1::json->>'from' AND id <= coalesce(last, ${lastId}) ${group === null ? 'AND group_name IS NULL' : ''}`,
              'id',
            ];
      return `WITH horizon AS MATERIALIZED (SELECT (
      SELECT id FROM ${tasks} WHERE $1::json->>'group' IS NULL AND id >= $1::json->>'from'
      ORDER BY id OFFSET ${listingHorizon} LIMIT 1
    ) AS last)
    SELECT json_build_array(last, ${columns})::text AS a FROM horizon LEFT JOIN LATERAL (
      SELECT * FROM ${tasks} WHERE ${within} ${matching}
      ORDER BY ${order} ${limit}
    ) AS t ON true ORDER BY t.id`;
    },

    count: (filter: TaskFilter) =>
      `SELECT count(*)::text AS a FROM ${tasks} WHERE $1::json IS NOT NULL ${conditions(filter)}`,

    remove: (selector: TaskSelector) => `WITH ${chosen(selector)},
    removed AS (DELETE FROM ${tasks} AS t USING chosen
      WHERE ${locked('chosen')} AND t.id = chosen.id RETURNING 1)
    SELECT count(*)::text AS a FROM removed`,

    setPaused: (selector: TaskSelector, paused: boolean) => `WITH ${clock},
    ${chosen(selector, `AND paused <> ${paused}`)},
    changed AS (
      UPDATE ${tasks} AS t SET paused = ${paused}, written_at = now ${paused ? '' : ', resumed_at = now'}
      FROM chosen, clock WHERE ${locked('chosen')} AND t.id = chosen.id RETURNING t.queue, t.wake_at
    )
    SELECT json_build_array((SELECT count(*) FROM changed), ${wakes('changed')})::text AS a`,

    claim: named('claim', `SELECT * FROM ${call('claim', 9)}`),

    extend: `WITH ${clock}, ${held('', 'revision')},
    extended AS (
      UPDATE ${tasks} AS t SET lease_expires_at = now + $3::bigint FROM held, clock
      WHERE ${locked('held')} AND t.id = held.id
    )
    SELECT json_build_array(position, revision)::text AS a FROM held`,

    settle: named('settle', `SELECT ${call('settle', 22)}::text AS a`),

    release: `WITH ${clock},
    ${held('DISTINCT ON (id COLLATE "C", token)', 'wake_at AS was, l."deferUntil" AS until')},
    released AS (
      UPDATE ${tasks} AS t SET lease_token = NULL, lease_owner = NULL, lease_expires_at = NULL,
        deliveries = deliveries - 1, written_at = now,
        run_at = CASE WHEN run_at < until THEN until ELSE run_at END
      FROM held, clock WHERE ${locked('held')} AND t.id = held.id RETURNING t.queue, t.wake_at, was
    )
    SELECT json_build_array((SELECT json_agg(position) FROM held),
      ${wakes('released WHERE wake_at < was')})::text AS a`,

    history: `SELECT a::text FROM ${call('read', 4)} AS a`,

    latestHistory: `SELECT a::text FROM ${call('latest', 5)} AS a`,
  };
}

/** What a bulk call means, its selector being `$1`. */
function selection(selector: TaskSelector): string {
  if ('all' in selector) return 'WHERE $1::json IS NOT NULL';
  if ('group' in selector) return "WHERE group_name = $1::json->>'group'";
  return `JOIN ${idsIn("$1::json->'ids'")} AS i ON t.id = i.id WHERE true`;
}

/** A filter as the end of a WHERE clause, its values being members of `$1`, and so is the injected time. */
function conditions(filter: TaskFilter): string {
  return toConditions(
    filter,
    (value, member) => (typeof value === 'string' ? `$1::json->>'${member}'` : String(value)),
    // Within a SELECT, because the clock is to be read once and not for each task.
    () => `(SELECT ${timeOr("($1::json->>'now')::bigint")})`,
  );
}
