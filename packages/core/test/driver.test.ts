import { expect, test } from 'vitest';
import { importDriver } from '../src/index.js';

test('A driver that can be imported is what its module is', async () => {
  const { basename } = await importDriver('node:path', () => import('node:path'));
  expect(basename('a/b')).toBe('b');
});

test('A driver that cannot be imported is a mistake in the configuration, which says what to do', async () => {
  const name = 'no-such-driver';
  const error = await importDriver(name, () => import(name)).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: 'SCHED_STORE_CONFIG',
    message: expect.stringMatching(
      /^The driver no-such-driver cannot be loaded: .* Install no-such-driver,/,
    ),
    cause: expect.any(Error),
  });
});
