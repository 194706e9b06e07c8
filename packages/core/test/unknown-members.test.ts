import { MemoryDataStore } from '@sched/memory';
import { describe, expect, it } from 'vitest';
import { copyTasks, createScheduler, cron, defineTask, every } from '../src/index.js';

const store = () => new MemoryDataStore();

/** Calls as plain JavaScript makes them, each with a member that there is not. */
const mistakes: Record<string, [code: string, message: RegExp, call: () => unknown]> = {
  'defineTask({ timout })': [
    'SCHED_ARGUMENT_INVALID',
    /"timout"\. Did you mean timeout\?/,
    () => defineTask('t', { timout: '5s' } as object),
  ],
  'defineTask({ retry: { retries } })': [
    'SCHED_ARGUMENT_INVALID',
    /^retry must not have a member "retries"\. It may have: limit, backoff, min, max, jitter, whenExhausted\./,
    () => defineTask('t', { retry: { retries: 5 } as object }),
  ],
  'defineTask({ overlap: { max } })': [
    'SCHED_ARGUMENT_INVALID',
    /^overlap must not have a member "maxruning"\. Did you mean maxRunning\?/,
    () => defineTask('t', { overlap: { mode: 'allow', maxruning: 2 } as object as 'skip' }),
  ],
  'defineTask({ catchUp: { windows } })': [
    'SCHED_ARGUMENT_INVALID',
    /^catchUp must not have a member "windows"\. Did you mean window\?/,
    () => defineTask('t', { catchUp: { mode: 'all', windows: '1h' } as object as 'all' }),
  ],
  'defineTask({ catchup })': [
    'SCHED_ARGUMENT_INVALID',
    /"catchup"\. Did you mean catchUp\?/,
    () => defineTask('t', { catchup: 'all' } as object),
  ],
  'createScheduler({ concurency })': [
    'SCHED_ARGUMENT_INVALID',
    /^The options of createScheduler must not have a member "concurency"\. Did you mean concurrency\?/,
    () => createScheduler({ store: store(), concurency: 5 } as never),
  ],
  'createScheduler()': [
    'SCHED_ARGUMENT_INVALID',
    /^The options of createScheduler must be an object, not undefined\./,
    () => (createScheduler as () => unknown)(),
  ],
  'cron(…, { timezone })': [
    'SCHED_TRIGGER_INVALID',
    /"timezone"\. Did you mean timeZone\?/,
    () => cron('0 9 * * *', { timezone: 'Europe/Berlin' } as object),
  ],
  'every(…, { until })': [
    'SCHED_TRIGGER_INVALID',
    /"until"\. It may have: anchor, start, end/,
    () => every('5m', { until: 0 } as object),
  ],
  'copyTasks(…, { groups })': [
    'SCHED_ARGUMENT_INVALID',
    /"groups"\. Did you mean group\?/,
    () => copyTasks(store(), store(), { groups: 'mail' } as object),
  ],
};

describe('A member that there is not', () => {
  it.each(Object.entries(mistakes))('%s is refused', async (_, [code, message, call]) => {
    const error = await (async () => call())().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code });
    expect((error as Error).message).toMatch(message);
  });
});
