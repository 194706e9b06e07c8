import {
  claimAll,
  expectBodyRefused,
  expectTextRefused,
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
    await expectTextRefused(await bench.open(), text, { twin: text.toWellFormed() });
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
    expect(await store.remove({ group: `${group}g` })).toBe(0);
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
        const errors = await expectBodyRefused(await bench.open(), 'é'.repeat(2 * 1024 * 1024));
        for (const { message } of errors) expect(message).toContain('max_allowed_packet');
      });

      test(`${title}: more than it takes may be in one call`, async () => {
        await setTo(4);
        const store = await bench.open();
        // Twice as long in a statement, where each of its bytes is written as two.
        const body = '\\'.repeat(1.4 * 1024 * 1024);
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
