import { describeOn } from '@sched-tooling/services';
import { expect, test } from 'vitest';
import { claimAll, failure, record, settlement, workbench } from './support.js';

await describeOn('redis', 'payloads', (server) => {
  const bench = workbench(server);
  const lua = `]]..redis.call('FLUSHALL')..[[ ' .. "\\" % \${x} {0} KEYS[1]`;
  const payloads = [
    ...['\0', 'a\0b', '🎉', '\u2028', '__proto__', '{"__proto__":{"a":1}}', '{"$where":"1"}'],
    ...[lua, '\r\n*1\r\n$8\r\nFLUSHALL\r\n', 'x'.repeat(1024 * 1024), '🎉'.repeat(256 * 1024)],
  ];

  test.each(payloads.map((text) => [text.slice(0, 30), text]))(
    'come back byte for byte: %j',
    async (_, text) => {
      const store = await bench.open();
      const body = JSON.stringify({ text, raw: '' }).replace('""', JSON.stringify(text));
      expect(await store.insert([record('a', { body })])).toEqual(['inserted']);
      const [task] = (await store.claim(claimAll)).tasks;
      if (!task) throw new Error('a task was claimed');
      expect(task.body === body).toBe(true);
      const history = [{ taskId: 'a', id: text.slice(0, 98), at: 1000, body }];
      const next = { status: 'scheduled', runAt: 1000, body } as const;
      const spawn = [record('b', { body: text, group: text.slice(0, 50), queue: 'r' })];
      await store.settle([settlement(task, { next, history, spawn })]);
      expect(await store.history('a', 1)).toEqual(history);
      const [, spawned] = await store.get(['a', 'b']);
      expect(spawned?.body === text).toBe(true);
      expect(await store.count({ group: text.slice(0, 50) })).toBe(1);
    },
  );

  test('that are too long are refused before anything is stored', async () => {
    const store = await bench.open();
    const body = 'x'.repeat(8 * 1024 * 1024);
    expect(await store.insert([record('a', { body })])).toEqual(['inserted']);
    const code = 'SCHED_PAYLOAD_TOO_LARGE';
    const tooLong = `${body}x`;
    await failure(() => store.insert([record('b'), record('c', { body: tooLong })]), code);
    const [task] = (await store.claim(claimAll)).tasks;
    if (!task) throw new Error('a task was claimed');
    await failure(() => store.update('a', { body: tooLong }, task), code);
    const spawn = [record('d', { body: tooLong })];
    await failure(() => store.settle([settlement(task, { spawn })]), code);
    expect(await store.count({})).toBe(1);
  });

  test('half of a surrogate pair is refused, wherever it is', async () => {
    const store = await bench.open();
    for (const members of [{ id: '\ud800' }, { body: '\udc00' }, { queue: 'a\ud800' }]) {
      const insert = () => store.insert([{ ...record('a'), ...members }]);
      await failure(insert, 'SCHED_ARGUMENT_INVALID');
    }
    expect(await store.count({})).toBe(0);
  });
});
