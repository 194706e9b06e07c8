import {
  expectBodyRefused,
  expectTextRefused,
  hostileTexts,
  record,
  testHostileTexts,
} from '@sched-tooling/adapter-tests';
import { describeOn } from '@sched-tooling/services';
import { expect, test } from 'vitest';
import { workbench } from './support.js';

await describeOn('redis', 'payloads', (server) => {
  const bench = workbench(server);
  testHostileTexts(() => bench.open(), [...hostileTexts, '\0', 'a\0b']);

  test('that are too long are refused, whichever call carries them', async () => {
    const store = await bench.open();
    const body = 'x'.repeat(8 * 1024 * 1024);
    expect(await store.insert([record('long', { body, runAt: 2000 })])).toEqual(['inserted']);
    await expectBodyRefused(store, `${body}x`);
  });

  test.each([
    ['half a surrogate pair', 'a\ud800b'],
    ['the other half', 'a\udfff'],
  ])('are refused where UTF-8 cannot hold them: %s', async (_, text) => {
    await expectTextRefused(await bench.open(), text, { twin: text.toWellFormed() });
  });
});
