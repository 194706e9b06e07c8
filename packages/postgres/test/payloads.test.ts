import { randomBytes } from 'node:crypto';
import {
  claimAll,
  expectBodyRefused,
  expectTextRefused,
  failure,
  record,
  records,
  settlement,
  testHostileTexts,
} from '@sched-tooling/adapter-tests';
import { describeOn } from '@sched-tooling/services';
import { expect, test } from 'vitest';
import { workbench } from './support.js';

await describeOn('postgres', 'what is stored', ({ url }) => {
  const bench = workbench(url);

  testHostileTexts(() => bench.open());

  test.each([
    ['a character 0', 'a\0b'],
    ['half a surrogate pair', 'a\ud800b'],
    ['the other half', 'a\udfff'],
  ])('is refused where PostgreSQL cannot hold it: %s', async (_, text) => {
    const twin = text.toWellFormed().replaceAll('\0', '');
    await expectTextRefused(await bench.open(), text, { twin });
  });

  test('comes back as it was where it holds what texts are joined by, or nothing at all', async () => {
    const store = await bench.open();
    const ids = ['a\u001fb', '', '\u001f'];
    for (const call of [ids, ...ids.map((id) => [`${id}1`]), ['lone'], ['']]) {
      await store.remove({ all: true });
      const given = call.map((id) => record(id, { body: `"${id}"`, group: id }));
      expect(await store.insert(given)).toEqual(call.map(() => 'inserted'));
      const { tasks } = await store.claim(claimAll);
      expect(tasks.map(({ id, group, body }) => [id, group, body]).sort()).toEqual(
        call.map((id) => [id, id, `"${id}"`]).sort(),
      );
      const settlements = tasks.map((task) => {
        const next = { status: 'finished', runAt: null, body: `[${task.body}]` } as const;
        const entry = { taskId: task.id, id: `${task.id}.0`, at: 1000, body: task.body };
        return settlement(task, { next, history: [entry], spawn: [record(`${task.id}+`)] });
      });
      expect(await store.settle(settlements)).toEqual(call.map(() => 'settled'));
      expect((await store.get(call)).map((task) => task?.body)).toEqual(
        call.map((id) => `["${id}"]`),
      );
      expect((await store.get(call.map((id) => `${id}+`))).map((task) => task?.id)).toEqual(
        call.map((id) => `${id}+`),
      );
      for (const id of call) {
        expect(await store.history(id, 1)).toMatchObject([{ id: `${id}.0`, body: `"${id}"` }]);
      }
    }
  });

  test.each([
    ['a fraction of a millisecond', { runAt: 1.5 }],
    ['no name', { name: undefined }],
    ['a status that there is not', { status: 'lost' }],
    ['an id too long for an index', { id: randomBytes(9000).toString('hex') }],
  ])('is refused where it makes no sense, the rest of the call with it: %s', async (_, members) => {
    const store = await bench.open();
    const bad = { ...record('bad'), ...members } as ReturnType<typeof record>;
    await failure(() => store.insert([record('a'), bad]), 'SCHED_ARGUMENT_INVALID');
    expect(await store.count({})).toBe(0);
  });

  test('is refused when a body is too large, whichever call carries it', async () => {
    await expectBodyRefused(await bench.open(), 'é'.repeat(32 * 1024 * 1024 + 1));
  });

  test('may be more in one call than one statement takes', async () => {
    const store = await bench.open();
    const body = JSON.stringify('x'.repeat(6 * 1024 * 1024));
    const large = records(4, 'large-', { body });
    expect(await store.insert(large)).toEqual(large.map(() => 'inserted'));
    const { tasks } = await store.claim(claimAll);
    const next = { status: 'finished', runAt: null, body } as const;
    expect(await store.settle(tasks.map((task) => settlement(task, { next })))).toEqual(
      tasks.map(() => 'settled'),
    );
    const many = records(12_000, 'many-', { queue: 'later' });
    const answers = await store.insert([...many, ...many.slice(0, 1)]);
    expect(answers.indexOf('exists')).toBe(12_000);
    expect(await store.remove({ ids: many.map(({ id }) => id) })).toBe(12_000);
  });
});
