import {
  claimAll,
  failure,
  hostileTexts,
  record,
  settlement,
  testHostileTexts,
} from '@sched-tooling/adapter-tests';
import { describeOn } from '@sched-tooling/services';
import { expect, test } from 'vitest';
import { workbench } from './support.js';

await describeOn('redis', 'payloads', (server) => {
  const bench = workbench(server);
  testHostileTexts(() => bench.open(), [...hostileTexts, '\0', 'a\0b']);

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
