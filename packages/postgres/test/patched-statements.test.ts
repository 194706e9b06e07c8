import type { ConformanceTarget } from '@sched/core/conformance';
import type { PgPool, PgQueryable } from '@sched/postgres';
import { PostgresDataStore } from '@sched/postgres';
import type { Patch } from '@sched-tooling/adapter-tests';
import { testPatches } from '@sched-tooling/adapter-tests';
import { describeOnEach } from '@sched-tooling/services';
import pg from 'pg';
import { createPlace, freshName } from './place.js';

const patches: readonly Patch[] = [
  {
    name: 'waits for tasks that another is claiming, in place of taking the next ones',
    breaks: 'G5',
    find: 'ORDER BY wake_at, serial LIMIT room FOR UPDATE SKIP LOCKED',
    by: 'ORDER BY wake_at, serial LIMIT room FOR UPDATE',
  },
  {
    name: 'does not lock what it claims',
    breaks: 'G2',
    find: 'ORDER BY wake_at, serial LIMIT room FOR UPDATE SKIP LOCKED',
    by: 'ORDER BY wake_at, serial LIMIT room',
  },
  {
    name: 'claims a millisecond early',
    breaks: 'G4',
    find: 'AND wake_at <= moment',
    by: 'AND wake_at <= moment + 1',
  },
  {
    name: 'claims a millisecond late',
    breaks: 'G4',
    find: 'AND wake_at <= moment',
    by: 'AND wake_at < moment',
  },
  {
    name: 'looks at all that a queue has in later moments',
    breaks: 'G7',
    find: 'AND wake_at <= moment',
    by: 'AND wake_at + 0 <= moment',
  },
  {
    name: 'claims the latest first',
    breaks: 'G5',
    find: 'ORDER BY wake_at, serial LIMIT room',
    by: 'ORDER BY wake_at DESC, serial LIMIT room',
  },
  {
    name: 'takes as many from each queue as the claim may take in all',
    breaks: 'G5',
    find: 'room := room - cardinality(places);',
    by: '',
  },
  {
    name: 'counts the claims of a task for its token',
    breaks: 'G2',
    find: 'SET lease_token = number,',
    by: 'SET lease_token = coalesce(settled_token, 0) + t.deliveries + 1,',
  },
  {
    name: 'gives the newest entries in the order in which they were added',
    breaks: 'G5',
    find: 'ORDER BY at + 0 DESC, seq DESC LIMIT most',
    by: 'ORDER BY seq DESC LIMIT most',
  },
  {
    name: 'gives the oldest entries first among the newest of all tasks',
    breaks: 'G5',
    find: 'ORDER BY at + 0 DESC, seq DESC LIMIT most',
    by: 'ORDER BY at + 0, seq LIMIT most',
  },
  {
    name: 'orders what is equally old among the newest entries by its task',
    breaks: 'G5',
    find: 'ORDER BY at + 0 DESC, seq DESC LIMIT most',
    by: 'ORDER BY at + 0 DESC, task_id, seq DESC LIMIT most',
  },
  {
    name: 'leaves out what is as old as the last of a page of the newest entries',
    breaks: 'G5',
    find: 'AND (at < from_at OR seq < from_seq)',
    by: 'AND at < from_at',
  },
  {
    name: 'begins a page of the newest entries with the last of the one before',
    breaks: 'G5',
    find: 'AND (at < from_at OR seq < from_seq)',
    by: 'AND (at < from_at OR seq <= from_seq)',
  },
  {
    name: 'gives the newest entries however old they are',
    breaks: 'G5',
    find: 'WHERE at + 0 >= oldest AND at + 0 <= from_at',
    by: 'WHERE at + 0 <= from_at',
  },
  {
    name: 'looks at all newer entries for each page of the newest',
    breaks: 'G7',
    find: 'AND at + 0 <= from_at AND (at',
    by: 'AND at <= from_at AND (at',
  },
  {
    name: 'does not look for tasks whose moment was past when they were written',
    breaks: 'G1',
    find: 'IF late < start THEN',
    by: 'IF false THEN',
  },
  {
    name: 'settles what another has claimed since',
    breaks: 'G2',
    find: "WHEN t.lease_token = s.token IS NOT TRUE THEN 'lost'",
    by: "WHEN t.lease_token IS NULL THEN 'lost'",
  },
  {
    name: 'does not remember what was settled',
    breaks: 'G1',
    find: 'settled_token = lease_token, ',
    by: '',
  },
  {
    name: 'settles what was edited since',
    breaks: 'G6',
    find: "WHEN t.revision <> s.revision THEN 'conflict'",
    by: '',
  },
  {
    name: 'resumes a paused task when it is settled',
    breaks: 'G6',
    find: 'paused = t.paused OR n.paused IS TRUE',
    by: 'paused = n.paused IS TRUE',
  },
  {
    name: 'spawns what belongs to a settlement that is refused',
    breaks: 'G6',
    find: 'CASE WHEN places[n] IS NOT NULL THEN k END',
    by: 'k',
  },
  {
    name: 'adds to the history what belongs to a settlement that is refused',
    breaks: 'G6',
    find: 'WHERE places[n] IS NOT NULL',
    by: 'WHERE true',
  },
  {
    name: 'removes what is to be kept',
    breaks: 'G1',
    find: 'AS s(place, kept) WHERE NOT kept))',
    by: 'AS s(place, kept)))',
  },
  {
    name: 'says of tasks that were there that they were inserted',
    breaks: 'G6',
    find: 'IS DISTINCT FROM number',
    by: 'IS NULL',
  },
  {
    name: 'edits a task without locking what it compares',
    breaks: 'G6',
    find: "WHERE id = $1::json->>'id' FOR UPDATE),",
    by: "WHERE id = $1::json->>'id'),",
  },
  {
    name: 'extends leases without locking them',
    breaks: 'G2',
    find: 'WHERE id = l.id AND lease_token = l.token FOR UPDATE\n',
    by: 'WHERE id = l.id AND lease_token = l.token\n',
  },
  {
    name: 'counts a delivery that was given back',
    breaks: 'G3',
    find: 'deliveries = deliveries - 1, ',
    by: '',
  },
  {
    name: 'defers a task to an earlier time',
    breaks: 'G5',
    find: 'run_at = CASE WHEN run_at < until THEN until ELSE run_at END',
    by: 'run_at = coalesce(until, run_at)',
  },
  {
    name: 'has paused tasks in the index of what is due',
    breaks: 'G6',
    find: "CASE WHEN status = 'scheduled' AND NOT paused THEN",
    by: "CASE WHEN status = 'scheduled' THEN",
  },
  {
    name: 'resumes tasks that are not paused',
    breaks: 'G6',
    find: 'AND paused <> false',
    by: '',
  },
  {
    name: 'gives the first added of equal entries first',
    breaks: 'G5',
    find: 'ORDER BY at DESC, seq DESC LIMIT',
    by: 'ORDER BY at DESC, seq LIMIT',
  },
  {
    name: 'says nothing of what comes to wake in a settlement',
    breaks: 'G5',
    find: 'WHERE wake_at IS NOT NULL AND wake_at < was IS NOT FALSE GROUP BY queue',
    by: 'WHERE false GROUP BY queue',
  },
];

await describeOnEach(['postgres'], 'PostgresDataStore', ({ url }) => {
  testPatches(patches, (patched) => patchedTarget(url, patched));
});

/** Places in which every statement is changed on its way to the server. */
function patchedTarget(url: string, patched: (statement: string) => string): ConformanceTarget {
  return {
    async create() {
      const schema = freshName();
      const pools: pg.Pool[] = [];
      const place = await createPlace(url, schema);
      return {
        ...place,
        connect(options) {
          const pool = new pg.Pool({ connectionString: url });
          pools.push(pool);
          return new PostgresDataStore({ pool: patchedPool(pool, patched), schema, ...options });
        },
        async dispose() {
          await pools[0]?.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
          await Promise.all(pools.map((pool) => pool.end()));
        },
      };
    },
  };
}

function patchedPool(pool: pg.Pool, patched: (statement: string) => string): PgPool {
  const queryOf =
    (client: PgQueryable): PgQueryable['query'] =>
    (text, values) =>
      client.query(patched(text), values);
  return {
    totalCount: pool.totalCount,
    options: pool.options,
    query: queryOf(pool),
    async connect() {
      const client = await pool.connect();
      return {
        processID: (client as { readonly processID?: number }).processID ?? null,
        query: queryOf(client),
        on: (event, listener) => client.on(event, listener),
        off: (event, listener) => client.off(event, listener),
        release: (destroy) => client.release(destroy),
      };
    },
  };
}
