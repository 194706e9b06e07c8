import { MemoryDataStore } from '@sched/memory';
import { describe, expect, it } from 'vitest';
import {
  copyTasks,
  createScheduler,
  cron,
  defineTask,
  every,
  type Scheduler,
} from '../src/index.js';
import { createTestClock } from '../src/testing/index.js';

const store = () => new MemoryDataStore();
const task = defineTask<unknown>('task');

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
    () => defineTask('t', { overlap: { mode: 'allow', maxruning: 2 } as never }),
  ],
  'defineTask({ catchUp: { windows } })': [
    'SCHED_ARGUMENT_INVALID',
    /^catchUp must not have a member "windows"\. Did you mean window\?/,
    () => defineTask('t', { catchUp: { mode: 'all', windows: '1h' } as never }),
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
  'createTestClock(…, { patient })': [
    'SCHED_ARGUMENT_INVALID',
    /^The options of createTestClock must not have a member "patient"\. Did you mean patience\?/,
    () => createTestClock(0, { patient: '1s' } as object),
  ],
  'sleep(…, signal)': [
    'SCHED_ARGUMENT_INVALID',
    /^The options of sleep must not have a member "abort"/,
    () => createTestClock().sleep('1s', { abort: new AbortController().signal } as object),
  ],
  'copyTasks(…, { groups })': [
    'SCHED_ARGUMENT_INVALID',
    /"groups"\. Did you mean group\?/,
    () => copyTasks(store(), store(), { groups: 'mail' } as object),
  ],
};

/** Calls of a scheduler, likewise. */
const calls: Record<string, [message: RegExp, call: (it: Scheduler) => unknown]> = {
  'schedule(…, { evry })': [
    /^The options of schedule must not have a member "evry"\. Did you mean every\?/,
    (it) => it.schedule(task, { id: 'a', evry: '5m' } as object),
  ],
  'schedule(…, { timezone })': [
    /"timezone"\. Did you mean timeZone\?/,
    (it) => it.schedule(task, { cron: '0 9 * * *', timezone: 'Europe/Berlin' } as object),
  ],
  'schedule(…, { timeZone }) without a calendar': [
    /^timeZone must be given along with cron or every/,
    (it) => it.schedule(task, { in: '1h', timeZone: 'Europe/Berlin' }),
  ],
  'schedule(…, { catchup })': [
    /"catchup"\. Did you mean catchUp\?/,
    (it) => it.schedule(task, { every: '5m', catchup: 'all' } as object),
  ],
  'schedule(…, { task })': [/"task"/, (it) => it.schedule(task, { task } as object)],
  "schedule(…, 'payload')": [
    /^The options of schedule must be an object, not string\./,
    (it) => it.schedule(task, 'payload' as never),
  ],
  "schedule('email')": [
    /^task must be made by defineTask, not "email"\./,
    (it) => it.schedule('email' as never),
  ],
  'scheduleMany([{ evry }])': [
    /^A declaration must not have a member "evry"/,
    (it) => it.scheduleMany([{ task, evry: '5m' } as { task: typeof task }]),
  ],
  'scheduleMany([null])': [
    /^A declaration must be an object, not null/,
    (it) => it.scheduleMany([null as never]),
  ],
  'scheduleMany(task)': [
    /^declarations must be an array/,
    (it) => it.scheduleMany({ task } as never),
  ],
  'sync([null])': [/^A declaration must be an object, not null/, (it) => it.sync([null as never])],
  'sync(task)': [/^declarations must be an array/, (it) => it.sync({ task } as never)],
  'sync(…, { name })': [
    /^The options of sync must not have a member "groups"\. Did you mean group\?/,
    (it) => it.sync([], { groups: 'a' } as object),
  ],
  'update(…, { evry })': [
    /^The changes of a task must not have a member "evry"\. Did you mean every\?/,
    (it) => it.update('a', { evry: '5m' } as object),
  ],
  'update(id)': [
    /^The changes of a task must be an object, not undefined/,
    (it) => it.update('a', undefined as never),
  ],
  'preview(undefined)': [
    /^when must be an object, not undefined/,
    (it) => it.preview(undefined as never, 1),
  ],
  'preview({ evry })': [
    /^when must not have a member "evry"\. Did you mean every\?/,
    (it) => it.preview({ evry: '5m' } as object, 1),
  ],
  'preview(…, { after })': [
    /^The options of preview must not have a member "after"\. It may have: from, declaredAt, id\./,
    (it) => it.preview({ every: '5m' }, 1, { after: 0 } as object),
  ],
  'stop({ timeout })': [
    /^The options of stop must not have a member "timeout"\. It may have: deadline\./,
    (it) => it.stop({ timeout: '1s' } as object),
  ],
  'listPage({ groups })': [
    /^The filter must not have a member "groups"\. Did you mean group\?/,
    (it) => it.listPage({ groups: 'a' } as object),
  ],
  'list({ groups })': [/"groups"/, (it) => it.list({ groups: 'a' } as object).next()],
  'list({ status })': [/"status"/, (it) => it.list({ status: 'failed' } as object).next()],
  'list({ state: "waiting" })': [
    /^state must be one of "scheduled", "paused", "running", "finished", "failed"/,
    (it) => it.list({ state: 'waiting' as 'paused' }).next(),
  ],
  'count({ limit })': [/"limit"/, (it) => it.count({ limit: 5 } as object)],
  'count({ state, paused }) that exclude each other': [
    /^paused must be true or absent where state is "paused"/,
    (it) => it.count({ state: 'paused', paused: false }),
  ],
  "on('suceeded')": [
    /^The event must be one of scheduled, .*succeeded.*, not "suceeded"/,
    (it) => it.on('suceeded' as 'succeeded', () => {}),
  ],
  "on('failed')": [
    /^The listener must be a function, not undefined/,
    (it) => it.on('failed', undefined as never),
  ],
  'onAny({})': [/^The listener must be a function/, (it) => it.onAny({} as never)],
  'pause({ groups })': [
    /Which tasks\? Give an id, an array of ids/,
    (it) => it.pause({ groups: 'a' } as never),
  ],
  'remove({ group, id })': [
    /Which tasks\? Give an id, an array of ids/,
    (it) => it.remove({ group: 'a', id: 'b' } as never),
  ],
};

/** Ids of a wrong kind. */
const badIds: Record<string, (it: Scheduler) => unknown> = {
  'get(undefined)': (it) => it.get(undefined as never),
  'history(5)': (it) => it.history(5 as never),
  'cancel({})': (it) => it.cancel({} as never),
  'runNow(null)': (it) => it.runNow(null as never),
  'retry([])': (it) => it.retry([] as never),
  'update("")': (it) => it.update('', {}),
  'remove([undefined])': (it) => it.remove([undefined as never]),
};

describe('A member that there is not', () => {
  it.each(Object.entries(mistakes))('%s is refused', async (_, [code, message, call]) => {
    const error = await (async () => call())().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code });
    expect((error as Error).message).toMatch(message);
  });

  it.each(Object.entries(calls))(
    '%s is refused, and nothing is done',
    async (_, [message, call]) => {
      const kept = store();
      await using it = createScheduler({ store: kept, tasks: [task] });
      const error = await (async () => call(it))().catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'SCHED_ARGUMENT_INVALID' });
      expect((error as Error).message).toMatch(message);
      expect(await it.count()).toBe(0);
    },
  );

  it.each(Object.entries(badIds))('%s is refused as an id', async (_, call) => {
    await using it = createScheduler({ store: store(), tasks: [task] });
    const error = await (async () => call(it))().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'SCHED_ID_INVALID' });
  });
});
