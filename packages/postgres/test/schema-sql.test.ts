import { schemaSql } from '@sched/postgres';
import { failure, type Mode, useAs } from '@sched-tooling/adapter-tests';
import { describeOn } from '@sched-tooling/services';
import { expect, test } from 'vitest';
import { freshName } from './place.js';
import { workbench } from './support.js';

await describeOn('postgres', 'the SQL of the schema', ({ url }) => {
  const bench = workbench(url);

  test.for<Mode>(['work', 'schedule', 'read'])(
    'lets a user %s who may create nothing',
    async (mode) => {
      const schema = bench.schema();
      const user = freshName();
      await bench.query(`CREATE ROLE ${user} LOGIN PASSWORD 'hunter2'`);
      bench.later(() => bench.query(`DROP OWNED BY ${user}; DROP ROLE ${user}`));
      const { create, grants } = schemaSql({ schema, namespace: 'jobs', user });
      await bench.query([...create, ...grants[mode]].join(';\n'));
      const own = Object.assign(new URL(url), { username: user, password: 'hunter2' }).href;

      const options = { url: own, schema, namespace: 'jobs' };
      await useAs(mode, await bench.open({ ...options, migrate: false }));
      const other = () => bench.open({ ...options, namespace: 'others' });
      await failure(other, 'SCHED_STORE_CONFIG');
    },
  );

  test('is what a store makes itself', async () => {
    const [made, printed] = [bench.schema(), bench.schema()];
    await bench.open({ schema: made });
    await bench.query(schemaSql({ schema: printed }).create.join(';\n'));
    const columns = (schema: string) =>
      bench.query(
        `SELECT table_name, column_name, data_type, is_nullable, generation_expression
         FROM information_schema.columns WHERE table_schema = $1 ORDER BY 1, ordinal_position`,
        [schema],
      );
    expect(await columns(printed)).toEqual(await columns(made));
    expect(await columns(made)).not.toEqual([]);
  });
});

test('refuses names that would be more than names', () => {
  for (const options of [
    { user: 'x" CASCADE' },
    { user: '' },
    { schema: 'x;' },
    { namespace: 'A' },
  ]) {
    expect(() => schemaSql(options)).toThrow(/must be/);
  }
});
