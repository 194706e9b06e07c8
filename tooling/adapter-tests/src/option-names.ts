import type { DataStore } from '@sched/core';
import { expect, test } from 'vitest';
import { failure } from './failure.js';

const secret = 'hunter2';
const url = `db://bob:${secret}@127.0.0.1/db`;

/**
 * Tests that a store refuses options that there are not, and what is no object of options, and shows no password.
 *
 * @param make makes a store
 * @param all every option that there is beside the namespace, as far as they go together
 * @param required whether options must be given
 */
export function testOptionNames(
  make: (options: unknown) => DataStore,
  all: object,
  required = true,
): void {
  const common = { clock: () => 1000, historyLimit: 5, historyMaxAgeMs: 1000 };

  test('every option that there is is known', () => {
    expect(() => make({ ...common, ...all })).not.toThrow();
  });

  test('an option that there is not is refused, and the one that was meant is named', async () => {
    const call = () => make({ ...common, ...all, historylimit: 5 });
    const { message } = await failure(call, 'SCHED_STORE_CONFIG');
    expect(message).toMatch(
      /^The options of \w+DataStore must not have a member "historylimit"\. Did you mean historyLimit\?$/,
    );
  });

  const wrong: [what: string, options: unknown][] = [
    ['null', null],
    ['string', url],
    ['an array', [url]],
    ['function', () => url],
  ];
  if (required) wrong.push(['undefined', undefined]);

  test.each(wrong)('%s is refused in place of options, and not shown', async (what, options) => {
    const { message } = await failure(() => make(options), 'SCHED_STORE_CONFIG');
    expect(message).toMatch(/^The options of \w+DataStore must be an object, not /);
    expect(message).toContain(`not ${what}.`);
    expect(message).not.toContain(secret);
  });
}
