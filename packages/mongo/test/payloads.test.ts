import {
  claimAll,
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
      const store = await bench.open();
      await store.insert([record('a'), record('b')]);
      const before = await store.list({ limit: 9 });
      const [task] = before.tasks;
      if (!task) throw new Error('a task was inserted');
      const calls = [
        () => store.insert([record('new'), record(text)]),
        () => store.insert([record('new', { queue: text })]),
        () => store.update('a', { name: text }, task),
        () => store.update(text, { body: '1' }, task),
        () => store.get([text]),
        () => store.list({ name: text, limit: 1 }),
        () => store.list({ after: text, limit: 1 }),
        () => store.count({ group: text }),
        () => store.remove({ ids: ['a', text] }),
        () => store.setPaused({ group: text }, true),
        () => store.claim({ ...claimAll, owner: text }),
        () => store.claim({ ...claimAll, queues: [text] }),
        () => store.settle([settlement(task, { id: text })]),
        () => store.extend([{ id: text, token: 1 }], 1),
        () => store.release([{ id: text, token: 1 }]),
        () => store.history(text, 1),
      ];
      for (const call of calls) await failure(call, 'SCHED_ARGUMENT_INVALID');
      expect(await store.list({ limit: 9 })).toEqual(before);
    },
  );

  test('is refused when a body is too large, whichever call carries it', async () => {
    const store = await bench.open();
    const body = 'é'.repeat(2 * 1024 * 1024 + 1);
    await store.insert([record('a'), record('b')]);
    const [a, b] = (await store.claim(claimAll)).tasks;
    if (!a || !b) throw new Error('two tasks were claimed');
    const next = { status: 'scheduled', runAt: 1000, body } as const;
    const entry = { taskId: 'b', id: 'run', at: 1000, body };
    const large = records(4, 'large-', { body: 'x'.repeat(4 * 1024 * 1024) });
    const calls = [
      () => store.insert([record('c'), record('d', { body })]),
      () => store.update('a', { body }, a),
      () => store.settle([settlement(a), settlement(b, { next })]),
      () => store.settle([settlement(a), settlement(b, { spawn: [record('c', { body })] })]),
      () => store.settle([settlement(a), settlement(b, { history: [entry] })]),
      () => store.settle([settlement(a), settlement(b, { spawn: large })]),
    ];
    for (const call of calls) await failure(call, 'SCHED_PAYLOAD_TOO_LARGE');
    expect(await store.get(['a', 'b', 'c'])).toEqual([
      expect.objectContaining({ revision: a.revision }),
      expect.objectContaining({ revision: b.revision }),
      undefined,
    ]);
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
