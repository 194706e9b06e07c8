import type { DataStore } from '@sched/core';
import { claimAll, leaseOf, record, records, settlement } from '@sched-tooling/adapter-tests';
import { describeOn, describeOnEach } from '@sched-tooling/services';
import type { Document } from 'mongodb';
import { expect, test } from 'vitest';
import { Pending } from '../src/schema.js';
import type { Command } from './support.js';
import { servers, watched, workbench } from './support.js';

/** Whether it is a look at what others have left undone, which a claim takes every few seconds. */
const isLook = ({ command }: Command) => command.filter?.pending?.$gte === Pending.other;

const names = (commands: readonly Command[]) =>
  commands
    .filter((command) => !isLook(command))
    .map(({ name }) => name)
    .sort();

/** The commands that write. */
const writesOf = (commands: readonly Command[]) =>
  names(commands).filter((name) => name !== 'find' && name !== 'aggregate');

await describeOnEach(servers, 'what a call asks of the server', ({ url }) => {
  const bench = workbench(url);

  /** The commands of each call, made for that many tasks. */
  async function costs(count: number) {
    const { client, during } = watched(bench);
    const store = await bench.open({ client });
    const cost: Record<string, string[]> = {};
    const note = async <T>(call: string, work: () => Promise<T>) => {
      let answer: T | undefined;
      cost[call] = names(
        await during(async () => {
          answer = await work();
        }),
      );
      return answer as T;
    };
    await store.insert([record('first', { queue: 'first' })]);
    await store.claim({ ...claimAll, queues: ['first'] });
    const given = records(count, 'task-');
    const ids = given.map(({ id }) => id);
    await note('insert', () => store.insert(given));
    await note('get', () => store.get(ids));
    const { tasks } = await note('claim', () => store.claim(claimAll));
    expect(tasks).toHaveLength(count);
    await note('extend', () => store.extend(tasks.map(leaseOf), 500));
    await note('release', () => store.release(tasks.map(leaseOf)));
    const again = (await store.claim(claimAll)).tasks;
    await note('settle', () => store.settle(again.map((task) => settlement(task))));
    const third = (await store.claim(claimAll)).tasks;
    await note('settle with history', () => store.settle(third.map((task) => done(task.id, task))));
    await store.insert(given);
    await note('setPaused', () => store.setPaused({ ids }, true));
    await note('remove', () => store.remove({ ids }));
    return cost;
  }

  function done(id: string, task: Parameters<typeof settlement>[0]) {
    // Far in the future of the clock, so that nothing of it is forgotten along with it.
    const history = [{ taskId: `${id}-${Math.random()}`, id: 'run', at: 1000, body: '{}' }];
    return settlement(task, { next: null, history });
  }

  test('does not depend on how many tasks it is about', async () => {
    const [few, many] = [await costs(120), await costs(300)];
    const forgetful = 'settle with history';
    expect({ ...many, [forgetful]: [] }).toEqual({ ...few, [forgetful]: [] });
    expect(many).toMatchObject({
      insert: ['findAndModify', 'insert'],
      get: ['find'],
      claim: ['find', 'find', 'find', 'findAndModify', 'update'],
      extend: ['find', 'update'],
      release: ['update'],
      settle: ['update'],
      setPaused: ['find', 'update'],
      remove: ['delete', 'find', 'update'],
    });
    // What is kept too long is forgotten by chance: a look at some tasks and at the oldest, and one deletion.
    expect(few[forgetful]?.length).toBeGreaterThanOrEqual(4);
    expect(many[forgetful]?.length).toBeLessThanOrEqual(9);
  }, 60_000);

  test('a claim that finds nothing writes nothing', async () => {
    const { client, during } = watched(bench);
    const store = await bench.open({ client });
    await store.insert([record('later', { runAt: 5000 }), record('paused', { paused: true })]);
    await store.claim(claimAll);
    const commands = await during(() => store.claim({ ...claimAll, queues: ['q', 'r'] }));
    expect(writesOf(commands)).toEqual([]);
    expect(commands.length).toBeLessThanOrEqual(6);
  });

  test('writes wait for the majority and the journal, and reads go to the primary', async () => {
    const { client, during } = watched(bench);
    const store = await bench.open({ client });
    const commands = await during(() => everything(store));
    const durable = { w: 'majority', j: true };
    for (const { name, command } of commands) {
      if (writesOf([{ name, command }]).length > 0) expect(command.writeConcern).toEqual(durable);
      expect(command.$readPreference?.mode ?? 'primary').toMatch(/^primary/);
    }
  });

  test('or for what the user says', async () => {
    const { client, during } = watched(bench);
    const store = await bench.open({ client, writeConcern: { w: 1 } });
    for (const { name, command } of await during(() => everything(store))) {
      if (writesOf([{ name, command }]).length > 0) expect(command.writeConcern).toEqual({ w: 1 });
    }
  });
});

async function everything(store: DataStore): Promise<void> {
  await store.insert([record('a')]);
  const { tasks } = await store.claim(claimAll);
  await store.settle(
    tasks.map((task) =>
      settlement(task, {
        history: [{ taskId: 'a', id: 'run', at: 1000, body: '{}' }],
        spawn: [record('b')],
      }),
    ),
  );
  await store.remove({ all: true });
}

await describeOnEach(servers, 'what a claim looks at', ({ url, name }) => {
  const bench = workbench(url);

  test('does not grow with tasks that are not due', async () => {
    const database = bench.database();
    const store = await bench.open({ database });
    const { client, during } = watched(bench);
    const watching = await bench.open({ database, client });
    const sched = bench.collection(database);

    /** How many documents and keys the queries of a claim look at, after one before it. */
    const looks = async () => {
      await store.insert(records(5, 'due-'));
      await watching.claim({ ...claimAll, limit: 2 });
      const commands = await during(() => watching.claim({ ...claimAll, limit: 2 }));
      const finds = commands.filter(
        ({ command }) => command.find === 'sched' && command.filter.queue,
      );
      expect(finds.length).toBeGreaterThan(0);
      let sum = 0;
      for (const { command } of finds) {
        const { filter, sort, limit } = command;
        const plan = await sched.find(filter).sort(sort).limit(limit).explain('executionStats');
        if (filter._id === undefined) expect(indexesOf(plan)).toContain('due');
        sum += plan.executionStats?.totalDocsExamined ?? 0;
      }
      await store.remove({ ids: records(5, 'due-').map(({ id }) => id) });
      return sum;
    };
    const alone = await looks();
    const many = name === 'secantusdb' ? 300 : 2000;
    await store.insert(records(many, 'later-', { runAt: 5000 }));
    await store.insert(records(many, 'paused-', { paused: true }));
    await store.insert(records(many, 'finished-', { status: 'finished', runAt: null }));
    // The first claim after that looks for the first that is not due.
    await watching.claim({ ...claimAll, limit: 2 });
    expect(await looks()).toBeLessThanOrEqual(alone + 2);
  }, 60_000);

  test('is not all that is not due, though the first of these are settled', async () => {
    const { client, during } = watched(bench);
    const store = await bench.open({ client });
    await store.insert([...records(5, 'due-'), ...records(5, 'later-', { runAt: 5000 })]);
    const claimed = [];
    for (let claims = 0; claims < 2; claims++) {
      claimed.push(...(await store.claim({ ...claimAll, limit: 2 })).tasks);
    }
    await store.settle(claimed.map((task) => settlement(task, { next: null })));
    const commands = await during(() => store.claim({ ...claimAll, limit: 2 }));
    const ranges = commands.flatMap(({ command }) => command.filter?.wakeAt ?? []);
    expect(ranges.length).toBeGreaterThan(1);
    for (const range of ranges) expect(range.$lt ?? range.$lte).toBeDefined();
  });
});

/** The names of the indexes of a plan, in whatever way the server tells. */
function indexesOf(plan: Document): string[] {
  return Object.entries(plan).flatMap(([key, value]) => {
    if (key === 'indexName') return [String(value)];
    return typeof value === 'object' && value !== null ? indexesOf(value) : [];
  });
}

await describeOn('ferretdb', 'a listing', ({ url }) => {
  const bench = workbench(url);

  test('looks at a stretch of the tasks a page, and finds the last of them', async () => {
    const store = await bench.open();
    await store.insert([...records(12_000, 'task-'), record('zzz', { name: 'rare' })]);
    const pages: string[][] = [];
    for (let after: string | null | undefined; after !== null; ) {
      const request = { name: 'rare', limit: 10, ...(after === undefined ? {} : { after }) };
      const page = await store.list(request);
      pages.push(page.tasks.map(({ id }) => id));
      after = page.next;
    }
    expect(pages).toEqual([[], ['zzz']]);
    expect(await store.count({ name: 'rare' })).toBe(1);
  });
});

await describeOn('ferretdb', 'history', ({ url }) => {
  const bench = workbench(url);
  let runs = 0;

  /** Runs the task once more, with this in its history. */
  async function run(store: DataStore, taskId: string, at: number): Promise<void> {
    await store.insert([record(taskId, { runAt: 0 })]);
    const { tasks } = await store.claim(claimAll);
    const history = [{ taskId, id: `run-${++runs}`, at, body: '{}' }];
    await store.settle(tasks.map((task) => settlement(task, { history })));
  }

  test('is kept to within reason, and read exactly', async () => {
    const database = bench.database();
    const store = await bench.open({ database, historyLimit: 10 });
    const entries = bench.collection(database, 'sched.history');
    const sizes: number[] = [];
    for (let at = 1; at <= 100; at++) {
      await run(store, 'a', at);
      sizes.push(await entries.countDocuments());
    }
    expect((await store.history('a', 999)).map(({ at }) => at)).toEqual(
      Array.from({ length: 10 }, (_, index) => 100 - index),
    );
    // Each run tidies up with a chance of 2 in 5: that none of 60 does is not seen in a lifetime.
    expect(Math.max(...sizes)).toBeLessThan(70);
  });

  test('of tasks that are removed together is kept to within reason as well', async () => {
    const database = bench.database();
    const store = await bench.open({ database, historyLimit: 4 });
    const entries = bench.collection(database, 'sched.history');
    const sizes: number[] = [];
    for (let at = 1; at <= 60; at++) {
      await store.insert([record('a', { runAt: 0 }), record('b', { runAt: 0 })]);
      const { tasks } = await store.claim(claimAll);
      const historyOf = (taskId: string) => [{ taskId, id: `run-${at}`, at, body: '{}' }];
      await store.settle(
        tasks.map((task) => settlement(task, { next: null, history: historyOf(task.id) })),
      );
      sizes.push(await entries.countDocuments());
    }
    for (const id of ['a', 'b']) {
      expect((await store.history(id, 99)).map(({ at }) => at)).toEqual([60, 59, 58, 57]);
    }
    // One of the two is tidied up along with each call: that one is left out 40 times is not seen in a lifetime.
    expect(Math.max(...sizes)).toBeLessThan(44);
  }, 30_000);

  test('what is too old is not given, and is deleted as the task runs on', async () => {
    const database = bench.database();
    let now = 1000;
    const limits = { historyLimit: 10, historyMaxAgeMs: 100 };
    const store = await bench.open({ database, ...limits, clock: () => now });
    for (let index = 0; index < 10; index++) await run(store, `old-${index}`, 1000);
    now = 1101;
    expect(await store.history('old-1', 99)).toEqual([]);
    for (let index = 0; index < 60; index++) await run(store, 'new', now);
    const entries = bench.collection(database, 'sched.history');
    expect(await entries.countDocuments({ at: 1000 })).toBe(0);
  });

  test('a limit of none keeps and writes none, and limits may be infinite', async () => {
    const database = bench.database();
    const none = await bench.open({ database, historyLimit: 0 });
    await run(none, 'a', 5);
    expect(await none.history('a', 99)).toEqual([]);
    const unlimited = Number.POSITIVE_INFINITY;
    const limits = { historyLimit: unlimited, historyMaxAgeMs: unlimited };
    const all = await bench.open({ database, ...limits });
    expect(await all.history('a', 99)).toEqual([]);
    for (let at = 1; at <= 120; at++) await run(all, 'a', at);
    expect(await all.history('a', unlimited)).toHaveLength(120);
  });
});
