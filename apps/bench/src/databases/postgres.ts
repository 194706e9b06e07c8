import { PostgresDataStore } from '@sched/postgres';
import pg from 'pg';
import type { BareLoop, Database, Place } from '../database.ts';

export const postgres: Database = {
  name: 'postgres',
  service: 'postgres',
  durability: 'fsync on, synchronous_commit on: a commit waits for the disk',
  count: 50_000,
  farFuture: 200_000,
  async createPlace(url, name) {
    await onServer(url, async (client) => {
      await client.query(`CREATE DATABASE ${name}`);
      // What was measured before has left pages to write.
      await client.query('CHECKPOINT');
    });
    const own = new URL(url);
    own.pathname = name;
    return { database: 'postgres', url: own.href, name };
  },
  removePlace: ({ url, name }) =>
    onServer(serverOf(url), async (client) => {
      await client.query(`DROP DATABASE ${name} WITH (FORCE)`);
    }),
  countStatements: ({ url, name }) =>
    onServer(serverOf(url), async (client) => {
      const { rows } = await client.query(
        'SELECT xact_commit + xact_rollback AS count FROM pg_stat_database WHERE datname = $1',
        [name],
      );
      return Number(rows[0]?.count);
    }),
  store: ({ url }, options) => new PostgresDataStore({ url, ...options }),
  openBareLoop,
};

async function onServer<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

function serverOf(url: string): string {
  const server = new URL(url);
  server.pathname = 'postgres';
  return server.href;
}

async function openBareLoop({ url }: Place): Promise<BareLoop> {
  const client = new pg.Pool({ connectionString: url });
  await client.query(`
    CREATE TABLE IF NOT EXISTS task (id text PRIMARY KEY, due bigint, body text);
    CREATE INDEX IF NOT EXISTS due ON task (due) WHERE due IS NOT NULL;
  `);
  return {
    async insert(tasks) {
      await client.query({
        name: 'insert',
        text: 'INSERT INTO task SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[])',
        values: [
          tasks.map(({ id }) => id),
          tasks.map(({ due }) => due),
          tasks.map(({ body }) => body),
        ],
      });
    },
    async claim(limit, now, leaseEnd) {
      const { rows } = await client.query({
        name: 'claim',
        text: `UPDATE task SET due = $3 WHERE id = ANY (ARRAY(
            SELECT id FROM task WHERE due <= $2 ORDER BY due LIMIT $1 FOR UPDATE SKIP LOCKED
          )) RETURNING id, body`,
        values: [limit, now, leaseEnd],
      });
      return new Map(rows.map(({ id, body }) => [id, body]));
    },
    async complete(ids) {
      const text = 'DELETE FROM task WHERE id = ANY ($1)';
      await client.query({ name: 'complete', text, values: [ids] });
    },
    async count() {
      const { rows } = await client.query('SELECT count(*) FROM task');
      return Number(rows[0]?.count);
    },
    close: () => client.end(),
  };
}
