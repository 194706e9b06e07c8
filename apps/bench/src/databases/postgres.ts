import { PostgresDataStore } from '@sched/postgres';
import pg from 'pg';
import type { BareLoop, Database } from '../database.ts';

export const postgres: Database = {
  name: 'postgres',
  service: 'postgres',
  count: 50_000,
  farFuture: 200_000,
  async createPlace(url) {
    const schema = `bench_${crypto.randomUUID().slice(0, 8)}`;
    const client = new pg.Client(url);
    await client.connect();
    await client.query(`CREATE SCHEMA ${schema}`);
    return {
      connect: (options) => new PostgresDataStore({ url, schema, ...options }),
      openBareLoop: () => bareLoop(client, schema),
      async dispose() {
        await client.query(`DROP SCHEMA ${schema} CASCADE`);
        await client.end();
      },
    };
  },
};

async function bareLoop(client: pg.Client, schema: string): Promise<BareLoop> {
  await client.query(`
    CREATE TABLE ${schema}.task (id text PRIMARY KEY, due bigint, body text);
    CREATE INDEX ON ${schema}.task (due) WHERE due IS NOT NULL;
  `);
  return {
    async insert(tasks) {
      await client.query(
        `INSERT INTO ${schema}.task SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[])`,
        [tasks.map(({ id }) => id), tasks.map(({ due }) => due), tasks.map(({ body }) => body)],
      );
    },
    async claim(limit, now, leaseEnd) {
      const { rows } = await client.query({
        name: 'claim',
        text: `UPDATE ${schema}.task SET due = $3 WHERE id = ANY (ARRAY(
            SELECT id FROM ${schema}.task WHERE due <= $2 ORDER BY due LIMIT $1 FOR UPDATE SKIP LOCKED
          )) RETURNING id, body`,
        values: [limit, now, leaseEnd],
      });
      return rows.map(({ id }) => id);
    },
    async complete(ids) {
      const text = `DELETE FROM ${schema}.task WHERE id = ANY ($1)`;
      await client.query({ name: 'complete', text, values: [ids] });
    },
  };
}
