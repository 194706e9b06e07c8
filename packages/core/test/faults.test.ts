import { MemoryDataStore } from '@sched/memory';
import { describe, expect, test } from 'vitest';
import {
  createScheduler,
  type DataStore,
  defineTask,
  every,
  isSchedError,
  type RunContext,
  type Scheduler,
  type TaskDefinition,
} from '../src/index.js';
import { createTestClock, type TestClock } from '../src/testing/index.js';
import { createTriggerRegistry } from '../src/trigger-registry.js';
import { at } from '../src/triggers/at.js';
import { violationsIn } from './support/cluster-history.js';
import {
  type ClusterLog,
  observeReports,
  observeRun,
  observeStore,
} from './support/cluster-log.js';
import { logEvents } from './support/events.js';
import { type FaultName, faultNames, faultyStore, slowMs } from './support/faulty-store.js';
import { interceptStore, type StoreCall } from './support/intercepted-store.js';
import { numbers, pick } from './support/random.js';
import { createSetting } from './support/setting.js';

/** What the worker itself asks of a store. */
const workerCalls = [
  'open',
  'claim',
  'extend',
  'settle',
  'release',
  'get',
  'setPaused',
  'watch',
  'history',
  'close',
] as const satisfies readonly StoreCall[];

/** A worker with a bit of everything to do, on a store that `choose` makes go wrong. */
async function work(choose: (call: StoreCall, clock: TestClock) => FaultName | undefined) {
  const clock = createTestClock();
  const log: ClusterLog = [];
  const memory = new MemoryDataStore({ clock: clock.now });
  const open = interceptStore(memory, async (call, proceed) =>
    call === 'close' ? undefined : proceed(),
  );
  const store = observeStore(open, clock.now, log);
  const began: string[] = [];
  const define = (
    name: string,
    handle: (run: RunContext<unknown>) => unknown,
    policies: Parameters<typeof defineTask>[1] = {},
  ): TaskDefinition<unknown> =>
    defineTask(name, {
      ...policies,
      handler: async (run: RunContext<unknown>) => {
        began.push(run.task.id);
        await observeRun(run, { now: clock.now, log }, () => handle(run));
      },
    });
  const retry = { limit: 1, min: 1000, jitter: 0 };
  const quick = define('quick', () => {});
  const long = define('long', ({ signal }) => clock.sleep(20_000, { signal }));
  const flaky = define('flaky', ({ attempt }) => Promise.reject(attempt).catch(throwOnce), {
    retry,
  });
  const once = define('once', () => clock.sleep(3000), { delivery: 'atMostOnce' });
  const queued = define('queued', () => clock.sleep(1000), {
    ...{ overlap: 'queueAll', catchUp: 'all' },
  });
  const beside = define('beside', () => clock.sleep(25_000), {
    ...{ overlap: { mode: 'allow', maxRunning: 2 }, catchUp: 'all' },
  });
  const pausing = define('pausing', () => Promise.reject(new Error('as told')), {
    ...{ overlap: 'allow', retry: { limit: 0, whenExhausted: 'pause' } },
  });
  const tasks = [quick, long, flaky, once, queued, beside, pausing];
  const orphan = defineTask('orphan');

  const client = createScheduler({
    ...{ store, clock, triggers: [every], tasks: [...tasks, orphan], owner: 'client' },
  });
  for (let i = 0; i < 5; i++) await client.schedule(quick, { payload: i, id: `quick ${i}` });
  await client.schedule(long, { payload: null, id: 'long' });
  await client.schedule(long, { payload: 1, id: 'edited' });
  await client.schedule(flaky, { payload: null, id: 'flaky' });
  await client.schedule(once, { payload: null, id: 'once' });
  await client.schedule(orphan, { id: 'orphan' });
  const times = (interval: string, limit: number) => ({ trigger: every(interval, { limit }) });
  await client.schedule(queued, { payload: null, id: 'queued', ...times('30s', 4) });
  await client.schedule(beside, { payload: null, id: 'beside', ...times('20s', 4) });
  await client.schedule(pausing, { payload: null, id: 'pausing', every: '40s' });
  const [orphaned] = await memory.get(['orphan']);

  let struck = 0;
  const bad = faultyStore(store, clock, (call) => {
    const fault = choose(call, clock);
    if (fault !== undefined) struck++;
    return fault;
  });
  const worker = createScheduler({
    ...{ store: bad, clock, tasks, triggers: [every], owner: 'worker', random: () => 0.5 },
    announce: false,
    ...{ concurrency: 5, lease: 6000, storeTimeout: 4000, pollInterval: '10s' },
  });
  const events = logEvents(worker);
  observeReports(worker, clock.now, log);
  void worker.start();
  await clock.advance(5000);
  await client.update('edited', { payload: 2 });
  await clock.advance('15m');

  const stopBegunAt = clock.elapsed();
  let isStopped = false;
  void worker.stop().then(() => {
    isStopped = true;
  });
  await clock.runUntil(() => isStopped);
  const stopMs = clock.elapsed() - stopBegunAt;
  const endedAt = clock.now();
  const seen = [...log];
  // What is still on its way through the network arrives.
  await clock.advance(2 * slowMs);
  return {
    ...{ clock, client, memory, began, events, struck, stopMs, orphaned },
    violations: () => {
      const definitions = {
        triggers: createTriggerRegistry([at, every]),
        policiesOf: (name: string) => tasks.find((task) => task.name === name)?.policies ?? {},
      };
      return violationsIn(seen, definitions, endedAt).violations;
    },
  };
}

function throwOnce(attempt: unknown): void {
  if (attempt === 1) throw new Error('the first attempt');
}

/** Whatever went wrong: nothing is lost, nothing is done twice, and everybody is told the truth. */
async function expectAllWell(done: Awaited<ReturnType<typeof work>>): Promise<void> {
  const { client, clock, memory, began, events, orphaned } = done;
  expect(done.violations()).toEqual([]);
  const outcomesOf = async (id: string) => (await client.history(id)).map(({ outcome }) => outcome);
  const oneOffs = ['long', 'edited', 'flaky', ...Array.from({ length: 5 }, (_, i) => `quick ${i}`)];
  for (const id of oneOffs) {
    expect(
      (await outcomesOf(id)).filter((outcome) => outcome === 'succeeded'),
      id,
    ).toHaveLength(1);
    expect(await client.get(id), id).toBeUndefined();
  }
  expect(began.filter((id) => id === 'once').length).toBeLessThanOrEqual(1);
  expect(await outcomesOf('once')).toHaveLength(1);
  expect(await outcomesOf('queued')).toEqual(Array(4).fill('succeeded'));
  const beside = await client.history('beside');
  const covered = beside.flatMap(({ outcome, count = 1 }) =>
    outcome === 'interrupted' ? [] : Array(count).fill(outcome),
  );
  expect(covered).toHaveLength(4);
  expect(await client.get('pausing')).toMatchObject({ isPaused: true });
  expect((await memory.get(['orphan']))[0]).toMatchObject({
    ...{ body: orphaned?.body, status: 'scheduled' },
  });

  // Failures are counted from 1 until the store answers again, and it is always said that it did.
  let failures = 0;
  for (const event of events.all) {
    if (event.type === 'storeError') {
      expect(event.failures).toBe(++failures);
      expect(isSchedError(event.error)).toBe(true);
    } else if (event.type === 'storeRecovered') {
      expect(failures).toBeGreaterThan(0);
      failures = 0;
    }
  }
  expect(failures).toBe(0);
  expect(events.of('succeeded').map(({ id }) => id)).toEqual(
    [...new Set(events.of('succeeded').map(({ id, nominal }) => `${id} ${nominal.getTime()}`))].map(
      (key) => key.slice(0, key.lastIndexOf(' ')),
    ),
  );
  expect(events.types().at(-1)).toBe('stopped');
  expect(clock.pendingTimers).toBe(0);
}

describe('a worker recovers when', () => {
  test('nothing at all goes wrong', async () => {
    const done = await work(() => undefined);
    await expectAllWell(done);
    expect(done.events.of('storeError')).toEqual([]);
    expect(done.events.of('lost')).toEqual([]);
    expect(done.stopMs).toBe(0);
  });

  for (const fault of faultNames) {
    for (const broken of workerCalls) {
      test(`${broken} ${fault}`, async () => {
        // A run whose lease cannot be prolonged for longer is one that nobody can finish.
        const awhileMs = broken === 'extend' ? 20_000 : 60_000;
        for (const which of [1, 2, 'all, for a while'] as const) {
          let calls = 0;
          const done = await work((call, clock) => {
            // The history is searched only for what was settled with a lost answer.
            if (broken === 'history' && call === 'settle' && clock.elapsed() < 10_000) {
              return 'loses its answer';
            }
            if (call !== broken) return undefined;
            calls++;
            const isHit = typeof which === 'number' ? calls === which : clock.elapsed() < awhileMs;
            return isHit ? fault : undefined;
          });
          await expectAllWell(done);
          if (done.struck > 0 && broken !== 'close') {
            expect(done.events.of('storeError').length).toBeGreaterThan(0);
          }
          // All but a hanging close is over by then.
          expect(done.stopMs).toBeLessThanOrEqual(broken === 'close' ? 4000 : 0);
        }
      });
    }
  }
});

describe('a worker recovers from any mix of faults', () => {
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]) {
    test(`with the seed ${seed}`, async () => {
      const random = numbers(seed);
      const share = random() * 0.5;
      const done = await work((_, clock) =>
        clock.elapsed() < 180_000 && random() < share ? pick(random, faultNames) : undefined,
      );
      expect(done.struck).toBeGreaterThan(0);
      await expectAllWell(done);
    });
  }

  test('in which every call fails for a long time', async () => {
    const done = await work((_, clock) =>
      clock.elapsed() < 300_000 ? 'fails before it is applied' : undefined,
    );
    await expectAllWell(done);
    // With growing pauses between the tries.
    expect(done.events.of('storeError').length).toBeLessThan(60);
    expect(done.events.of('storeRecovered').length).toBe(1);
  });
});

describe('what users ask for', () => {
  const task = defineTask('work', { handler: () => {} });
  const uses: Record<string, { readonly call: StoreCall; use(s: Scheduler): Promise<unknown> }> = {
    schedule: { call: 'insert', use: (s) => s.schedule(task, { id: 'new' }) },
    scheduleMany: { call: 'insert', use: (s) => s.scheduleMany([{ task, id: 'new' }]) },
    get: { call: 'get', use: (s) => s.get('t') },
    list: { call: 'list', use: (s) => s.list().next() },
    count: { call: 'count', use: (s) => s.count() },
    update: { call: 'update', use: (s) => s.update('t', { queue: 'other' }) },
    reschedule: { call: 'get', use: (s) => s.update('t', { in: '2h' }) },
    pause: { call: 'setPaused', use: (s) => s.pause('t') },
    resume: { call: 'setPaused', use: (s) => s.resume('t') },
    remove: { call: 'remove', use: (s) => s.remove('t') },
    runNow: { call: 'insert', use: (s) => s.runNow('t') },
    cancel: { call: 'get', use: (s) => s.cancel('t') },
    history: { call: 'history', use: (s) => s.history('t') },
    sync: { call: 'list', use: (s) => s.sync([]) },
    'anything, first of all,': { call: 'now', use: (s) => s.runNow('t') },
    anything: { call: 'open', use: (s) => s.count() },
  };
  for (const [name, { call: broken, use }] of Object.entries(uses)) {
    test(`${name} is refused with a code when ${broken} goes wrong, and works when asked again`, async () => {
      for (const fault of faultNames) {
        const { clock, handle } = createSetting();
        const store: DataStore = handle();
        const client = createScheduler({ store, clock, tasks: [task] });
        await client.schedule(task, { id: 't', in: '1h' });
        let isBroken = true;
        const bad = faultyStore(handle(), clock, (call) =>
          isBroken && call === broken ? fault : undefined,
        );
        const scheduler = createScheduler({ store: bad, clock, tasks: [task], storeTimeout: 1000 });
        const failed = use(scheduler).then(
          () => undefined,
          (error: unknown) => error,
        );
        await clock.advance(2000);
        expect(await failed, fault).toMatchObject({
          code: expect.stringMatching(/^SCHED_STORE_(UNAVAILABLE|TIMEOUT)$/),
        });
        isBroken = false;
        if (name !== 'remove') await use(scheduler);
        await scheduler.stop();
        await client.stop();
        await clock.advance(2 * slowMs);
        expect(clock.pendingTimers).toBe(0);
      }
    });
  }
});
