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
import { describeOnEach } from '@sched-tooling/services';
import { expect, test } from 'vitest';
import { servers, workbench } from './support.js';

await describeOnEach(servers, 'what is stored', ({ url }) => {
  const bench = workbench(url);

  testHostileTexts(() => bench.open());

  test('may have a character 0, as an id too', async () => {
    const store = await bench.open();
    const text = 'a\0b';
    const given = record(text, { name: text, queue: text, group: text, body: text });
    await store.insert([given, record('a')]);
    expect(await store.get([text])).toMatchObject([given]);
    const { tasks } = await store.claim({ ...claimAll, queues: [text], owner: text });
    expect(tasks).toMatchObject([{ ...given, lease: { owner: text } }]);
    expect(await store.remove({ group: text })).toBe(1);
  });

  test.each([
    ['half a surrogate pair', 'a\ud800b'],
    ['the other half', 'a\udfff'],
    ['a number', 7 as unknown as string],
    ['an object', { $gt: '' } as unknown as string],
    ['more than a thousand bytes', 'é'.repeat(501)],
  ])(
    'is refused where MongoDB cannot hold it, or would take it for a query: %s',
    async (_, text) => {
      await expectTextRefused(await bench.open(), text, { inBodies: false });
    },
  );

  test('is refused when a body is too large, whichever call carries it', async () => {
    const store = await bench.open();
    await expectBodyRefused(store, 'é'.repeat(2 * 1024 * 1024 + 1));
    const [task] = await store.get(['a']);
    if (!task) throw new Error('a task was inserted');
    const spawn = records(4, 'large-', { body: 'x'.repeat(4 * 1024 * 1024) });
    await failure(() => store.settle([settlement(task, { spawn })]), 'SCHED_PAYLOAD_TOO_LARGE');
    expect(await store.count({})).toBe(2);
  });

  test('may be more in one call than one message takes', async () => {
    const store = await bench.open();
    const body = JSON.stringify('x'.repeat(3 * 1024 * 1024));
    const large = records(20, 'large-', { body });
    expect(await store.insert(large)).toEqual(large.map(() => 'inserted'));
    const { tasks } = await store.claim(claimAll);
    const next = { status: 'finished', runAt: null, body } as const;
    expect(await store.settle(tasks.map((task) => settlement(task, { next })))).toEqual(
      tasks.map(() => 'settled'),
    );
    expect((await store.get(large.map(({ id }) => id))).map((task) => task?.body === body)).toEqual(
      large.map(() => true),
    );
  });
});
