import { schemaSql } from '@sched/mysql';
import { failure, type Mode, useAs } from '@sched-tooling/adapter-tests';
import { describeOnEach } from '@sched-tooling/services';
import { expect, test } from 'vitest';
import { workbench } from './support.js';

await describeOnEach(['mysql', 'mariadb'], 'the SQL of the schema', ({ url, name }) => {
  const bench = workbench(url);
  const server = name === 'mariadb' ? 'MariaDB' : 'MySQL';

  test.for<Mode>(['work', 'schedule', 'read'])(
    'lets a user %s who may create nothing',
    async (mode) => {
      const database = await bench.database();
      const { create, grants } = schemaSql({ namespace: 'jobs', user: 'somebody', server });
      const own = await bench.user(
        database,
        ...create,
        ...grants[mode].map((grant) => grant.replace("'somebody'@'%'", '$user')),
      );
      const options = { url: own, namespace: 'jobs' };
      await useAs(mode, await bench.open({ ...options, migrate: false }));
      await failure(() => bench.open({ ...options, namespace: 'others' }), 'SCHED_STORE_CONFIG');
    },
  );

  test('is what a store makes itself', async () => {
    const [made, printed] = [await bench.database(), await bench.database()];
    await bench.open({ url: made });
    const connection = await bench.connection(printed);
    for (const sql of schemaSql({ server }).create) await connection.query(sql);
    const store = await bench.open({ url: printed, migrate: false });
    expect(await store.count({})).toBe(0);
    const columns = (database: string) =>
      bench.query(
        `SELECT table_name, column_name, column_type, is_nullable, collation_name
         FROM information_schema.columns WHERE table_schema = '${new URL(database).pathname.slice(1)}'
         ORDER BY 1, ordinal_position`,
      );
    expect(await columns(printed)).toEqual(await columns(made));
    expect(await columns(made)).not.toEqual([]);
  });
});

test('a host goes with a user', () => {
  const [grant] = schemaSql({ user: 'app@10.%' }).grants.read;
  expect(grant).toBe("GRANT SELECT ON sched_meta TO 'app'@'10.%'");
});

test('refuses names that would be more than names', () => {
  for (const options of [{ user: "x'@'%" }, { user: 'a@b@c' }, { user: '' }, { namespace: 'A' }]) {
    expect(() => schemaSql(options)).toThrow(/must be/);
  }
});
