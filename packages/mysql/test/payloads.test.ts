import {
  claimAll,
  failure,
  hostileTexts,
  record,
  records,
  settlement,
  testHostileTexts,
} from '@sched-tooling/adapter-tests';
import { describeOn, describeOnEach } from '@sched-tooling/services';
import { expect, test } from 'vitest';
import { workbench } from './support.js';

await describeOnEach(['mysql', 'mariadb'], 'what is stored', ({ url }) => {
  const bench = workbench(url);

  testHostileTexts(() => bench.open(), [...hostileTexts, 'a\0b', '\u0001\u001f\\"']);

  test.each([
    ['half a surrogate pair', 'a\ud800b'],
    ['the other half', 'a\udfff'],
  ])('is refused where UTF-8 cannot hold it: %s', async (_, text) => {
    const store = await bench.open();
    await store.insert([record('a'), record(text.toWellFormed())]);
    const before = await store.list({ limit: 9 });
    const [task] = before.tasks;
    if (!task) throw new Error('a task was inserted');
    const calls = [
      () => store.insert([record('new'), record(text)]),
      () => store.insert([record('new', { body: text })]),
      () => store.insert([record('new', { queue: text })]),
      () => store.update('a', { body: text }, task),
      () => store.update(text, { body: '1' }, task),
      () => store.get([text]),
      () => store.list({ name: text, limit: 1 }),
      () => store.count({ group: text }),
      () => store.remove({ ids: ['a', text] }),
      () => store.setPaused({ group: text }, true),
      () => store.claim({ ...claimAll, owner: text }),
      () => store.claim({ ...claimAll, queues: [text] }),
      () => store.settle([settlement(task, { id: text })]),
      () => store.history(text, 1),
    ];
    for (const call of calls) await failure(call, 'SCHED_ARGUMENT_INVALID');
    expect(await store.list({ limit: 9 })).toEqual(before);
  });

  test.each([
    ['a fraction of a millisecond', { runAt: 1.5 }],
    ['a moment after all others', { runAt: 1e300 }],
    ['no name', { name: undefined }],
    ['a status that there is not', { status: 'lost' }],
    ['an id too long by one character', { id: 'x'.repeat(301) }],
    ['an id that is much too long', { id: 'x'.repeat(70_000) }],
    ['a group that is too long', { group: 'x'.repeat(256) }],
  ])('is refused where it makes no sense, the rest of the call with it: %s', async (_, members) => {
    const store = await bench.open();
    const bad = { ...record('bad'), ...members } as ReturnType<typeof record>;
    await failure(() => store.insert([record('a'), bad]), 'SCHED_ARGUMENT_INVALID');
    expect(await store.count({})).toBe(0);
  });

  test('is not mixed up with what is too long to be stored', async () => {
    const store = await bench.open();
    const id = 'x'.repeat(300);
    const group = 'g'.repeat(255);
    await store.insert([record(id, { group })]);
    expect(await store.get([`${id}x`, `${id}xx`])).toEqual([undefined, undefined]);
    expect(await store.remove({ ids: [`${id}x`] })).toBe(0);
    expect(await store.count({ group: `${group}g` })).toBe(0);
    await failure(() => store.remove({ group: `${group}g` }), 'SCHED_ARGUMENT_INVALID');
    expect(await store.count({})).toBe(1);
  });
});

await describeOn(
  ['mysql', 'mariadb'],
  'max_allowed_packet',
  (...servers) => {
    for (const { title, url } of servers) {
      const bench = workbench(url);
      const setTo = (mebibytes: number) =>
        bench.query(`SET GLOBAL max_allowed_packet = ${mebibytes * 1024 * 1024}`);

      test(`${title}: what is too large for it is refused, whichever call carries it`, async () => {
        await setTo(4);
        const store = await bench.open();
        const body = 'é'.repeat(2 * 1024 * 1024);
        await store.insert([record('a'), record('b')]);
        const { tasks } = await store.claim(claimAll);
        const [a, b] = tasks;
        if (!a || !b) throw new Error('two tasks were claimed');
        const next = { status: 'scheduled', runAt: 1000, body } as const;
        const entry = { taskId: 'b', id: 'run', at: 1000, body };
        const calls = [
          () => store.insert([record('c'), record('d', { body })]),
          () => store.update('a', { body }, a),
          () => store.settle([settlement(a), settlement(b, { next })]),
          () => store.settle([settlement(a), settlement(b, { spawn: [record('c', { body })] })]),
          () => store.settle([settlement(a), settlement(b, { history: [entry] })]),
        ];
        for (const call of calls) {
          const error = await failure(call, 'SCHED_PAYLOAD_TOO_LARGE');
          expect(error.message).toContain('max_allowed_packet');
        }
        expect(await store.get(['a', 'b', 'c'])).toEqual([
          expect.objectContaining({ revision: a.revision }),
          expect.objectContaining({ revision: b.revision }),
          undefined,
        ]);
      });

      test(`${title}: more than it takes may be in one call`, async () => {
        await setTo(4);
        const store = await bench.open();
        // Twice as long in JSON, where each of these characters is written as two.
        const body = '"'.repeat(1.4 * 1024 * 1024);
        const large = records(4, 'large-', { body });
        expect(await store.insert(large)).toEqual(large.map(() => 'inserted'));
        const { tasks } = await store.claim(claimAll);
        expect(tasks.every((task) => task.body === body)).toBe(true);
        const next = { status: 'finished', runAt: null, body } as const;
        expect(await store.settle(tasks.map((task) => settlement(task, { next })))).toEqual(
          tasks.map(() => 'settled'),
        );
        const id = (index: number) => `${index}`.padEnd(300, 'x');
        const many = Array.from({ length: 20_000 }, (_, index) => record(id(index)));
        const answers = await store.insert([...many, ...many.slice(0, 1)]);
        expect(answers.indexOf('exists')).toBe(20_000);
        const ids = many.map((task) => task.id);
        expect((await store.get(ids)).map((task) => task?.id)).toEqual(ids);
        expect(await store.remove({ ids })).toBe(20_000);
      });

      test(`${title}: a claim takes as many as it is asked for, with ids of the worst kind`, async () => {
        const store = await bench.open();
        const id = (index: number) => `${index}`.padStart(5, '0').padEnd(300, '\u0001');
        const many = Array.from({ length: 1200 }, (_, index) => record(id(index)));
        await store.insert(many);
        const { tasks, nextWakeAt } = await store.claim({ ...claimAll, limit: 1100 });
        expect(new Set(tasks.map((task) => task.id)).size).toBe(1100);
        expect(nextWakeAt).toBe(1000);
      });

      test(`${title}: too small a one is refused when the store is opened`, async () => {
        await setTo(2);
        const error = await failure(() => bench.open(), 'SCHED_STORE_CONFIG');
        expect(error.message).toMatch(/max_allowed_packet .*2097152.*4194304/);
      });
    }
  },
  { own: true },
);
