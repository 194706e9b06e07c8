import type { DataStore, HistoryEntry } from '@sched/core';
import { RedisDataStore } from '@sched/redis';
import { claimAll, record, records, settlement } from '@sched-tooling/adapter-tests';
import { describeOn } from '@sched-tooling/services';
import { expect, test } from 'vitest';
import type { Command } from './support.js';
import { workbench } from './support.js';

const ofScripts = (commands: readonly Command[]) => commands.filter(({ isOfScript }) => isOfScript);
const calls = (commands: readonly Command[]) =>
  commands.filter(({ isOfScript }) => !isOfScript).map(({ name }) => name);

/** Everything that a store does. */
async function everything(store: DataStore): Promise<void> {
  await store.now();
  await store.insert([record('a', { group: 'g' }), record('b', { queue: 'r' })]);
  const { tasks } = await store.claim({ ...claimAll, queues: ['q', 'r'] });
  await store.extend(
    tasks.map(({ id, lease }) => ({ id, token: lease.token })),
    1000,
  );
  const history = ['a', 'b'].map((taskId) => ({ taskId, id: 'run', at: 1000, body: '{}' }));
  const spawn = records(9, 'spawned-');
  await store.settle(tasks.map((task) => settlement(task, { history, spawn })));
  await store.history('a', 9);
  const [a] = await store.get(['a', 'b']);
  await store.update('a', { group: 'h', queue: 'r' }, { revision: a?.revision ?? 0 });
  const [task] = (await store.claim(claimAll)).tasks;
  await store.release([{ id: task?.id ?? '', token: task?.lease.token ?? 0 }]);
  await store.list({ limit: 9 });
  await store.list({ limit: 9, group: 'h', paused: false });
  await store.count({ name: 'job' });
  await store.count({ group: 'h' });
  await store.setPaused({ group: 'h' }, true);
  await store.setPaused({ ids: ['a'] }, false);
  await store.remove({ ids: ['b'] });
  await store.remove({ group: 'h' });
  await store.remove({ all: true });
}

await describeOn(
  'redis',
  'what a store asks of the server',
  (server) => {
    const bench = workbench(server);

    test.each([1, 4])(
      'no key is used but those declared, and none is looked for: %i shards',
      async (shards) => {
        const store = await bench.open({ shards });
        const commands = await bench.commandsDuring(() => everything(store));
        for (const name of calls(commands)) expect(['evalsha', 'eval']).toContain(name);
        let declared: readonly string[] = [];
        for (const { name, args, isOfScript } of commands) {
          if (!isOfScript) {
            declared = args.slice(2, 2 + Number(args[1]));
            // One slot of a cluster a script.
            const tags = declared.map((key) => /\{(.*?)\}/.exec(key)?.[1]);
            expect(new Set(tags).size).toBe(1);
          } else if (name !== 'time' && name !== 'publish') {
            expect(declared).toContain(args[0]);
          }
        }
        const names = new Set(commands.map(({ name }) => name));
        for (const name of ['keys', 'scan', 'hscan', 'zscan', 'sscan']) {
          expect(names).not.toContain(name);
        }
      },
    );

    test('a claim costs what it takes, whatever is not due', async () => {
      const store = await bench.open();
      const cost = async () => {
        await store.insert(records(20, 'due-'));
        const commands = await bench.commandsDuring(() => store.claim(claimAll));
        expect(calls(commands)).toEqual(['evalsha']);
        await store.remove({ ids: records(20, 'due-').map(({ id }) => id) });
        return ofScripts(commands).map(({ name }) => name);
      };
      await cost();
      const alone = await cost();
      // Everything is done for all of the tasks at once.
      expect(alone).toHaveLength(10);
      await store.insert(records(3000, 'later-', { runAt: 5000 }));
      await store.insert(records(3000, 'paused-', { paused: true }));
      await store.insert(records(3000, 'finished-', { status: 'finished', runAt: null }));
      expect(await cost()).toEqual(alone);
    });

    test('a claim that finds nothing writes nothing', async () => {
      const store = await bench.open();
      await store.insert([record('later', { runAt: 5000 })]);
      await store.claim(claimAll);
      const commands = await bench.commandsDuring(() => store.claim(claimAll));
      expect(commands.map(({ name }) => name)).toEqual([
        ...['evalsha', 'time', 'zrangebylex', 'zrangebylex'],
      ]);
    });

    test('a call is one script, unless there is much to do', async () => {
      const store = await bench.open();
      const tasks = records(200, 'task-');
      await everything(store);
      const commands = await bench.commandsDuring(async () => {
        await store.insert(tasks);
        const claimed = (await store.claim(claimAll)).tasks;
        await store.extend(
          claimed.map(({ id, lease }) => ({ id, token: lease.token })),
          1000,
        );
        await store.settle(claimed.map((task) => settlement(task)));
        await store.get(tasks.map(({ id }) => id));
        await store.remove({ ids: tasks.map(({ id }) => id) });
      });
      expect(calls(commands)).toEqual(Array(6).fill('evalsha'));
    });

    test('ten thousand ids are removed a few hundred at a time', async () => {
      const store = await bench.open();
      const ids = records(10_000, 'task-').map(({ id }) => id);
      await store.insert(records(10_000, 'task-'));
      let removed = 0;
      const commands = await bench.commandsDuring(async () => {
        removed = await store.remove({ ids: [...ids, ...ids] });
      });
      expect(removed).toBe(10_000);
      const scripts = commands.filter(({ isOfScript }) => !isOfScript);
      expect(scripts.length).toBeLessThan(100);
      for (const { args } of scripts) expect(args.length).toBeLessThan(300);
      expect(await store.count({})).toBe(0);
    });

    test('a listing looks at a stretch of the tasks a script, and finds the last of them', async () => {
      const store = await bench.open();
      await store.insert([...records(12_000, 'task-'), record('needle', { name: 'rare' })]);
      const pages: string[][] = [];
      for (let after: string | null = '0.0'; after !== null; ) {
        const page = await store.list({ name: 'rare', limit: 10, after });
        pages.push(page.tasks.map(({ id }) => id));
        after = page.next;
      }
      expect(pages).toEqual([[], [], ['needle']]);
      expect(await store.count({ name: 'rare' })).toBe(1);
    });
  },
  { own: true },
);

await describeOn('redis', 'history', (server) => {
  const bench = workbench(server);
  let runs = 0;

  /** Runs the task once more, with this in its history. */
  async function run(store: DataStore, taskId: string, at: number, next?: null): Promise<void> {
    await store.insert([record(taskId, { runAt: 0 })]);
    const { tasks } = await store.claim(claimAll);
    const history = [{ taskId, id: `run-${++runs}`, at, body: '{"a": "b c"}' }];
    await store.settle(
      tasks.map((task) => settlement(task, { history, ...(next === null && { next }) })),
    );
  }

  const ats = (entries: readonly HistoryEntry[]) => entries.map(({ at }) => at);

  test('is kept to within reason, and read exactly', async () => {
    const namespace = bench.namespace();
    const store = await bench.open({ namespace, historyLimit: 20 });
    const key = `{${namespace}:0}:history:a`;
    bench.later(() => bench.redis().del(key));
    const sizes: number[] = [];
    for (let at = 1; at <= 300; at++) {
      await run(store, 'a', at);
      sizes.push(await bench.redis().hlen(key));
    }
    expect(ats(await store.history('a', 999))).toEqual(
      Array.from({ length: 20 }, (_, index) => 300 - index),
    );
    // Each run tidies up with a chance of 3 in 4 and more: that none of 40 does is not seen in a lifetime.
    expect(Math.max(...sizes)).toBeLessThan(60);
  });

  test('of a task that is gone is one string, and grows when the task comes back', async () => {
    const namespace = bench.namespace();
    const store = await bench.open({ namespace });
    const key = `{${namespace}:0}:history:a`;
    bench.later(() => bench.redis().del(key));
    const types: string[] = [];
    for (const at of [3, 1, 2]) {
      await run(store, 'a', at, null);
      types.push(await bench.redis().type(key));
      expect((await store.history('a', 9))[0]).toMatchObject({ at: 3, body: '{"a": "b c"}' });
    }
    expect(types).toEqual(['string', 'hash', 'hash']);
    expect(ats(await store.history('a', 9))).toEqual([3, 2, 1]);
  });

  test('a limit of none keeps and writes none', async () => {
    const namespace = bench.namespace();
    const store = await bench.open({ namespace, historyLimit: 0 });
    await run(store, 'a', 5);
    expect(await store.history('a', 99)).toEqual([]);
    expect(await bench.redis().exists(`{${namespace}:0}:history:a`)).toBe(0);
  });

  test('limits may be infinite', async () => {
    const unlimited = Number.POSITIVE_INFINITY;
    const store = await bench.open({ historyLimit: unlimited, historyMaxAgeMs: unlimited });
    for (let at = 1; at <= 150; at++) await run(store, 'a', at);
    expect(await store.history('a', unlimited)).toHaveLength(150);
  });

  test('is forgotten by the server when its task has not run for as long as entries are kept', async () => {
    const namespace = bench.namespace();
    const key = `{${namespace}:0}:history:a`;
    const store = new RedisDataStore({ namespace, url: server.url, historyMaxAgeMs: 60_000 });
    await store.open();
    bench.later(() => store.close());
    await run(store, 'a', Date.now());
    const left = await bench.redis().pttl(key);
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(60_000);
    await bench.redis().pexpire(key, 0);
    expect(await store.history('a', 9)).toEqual([]);
  });

  test('what is too old is not given, and is deleted as the task runs on', async () => {
    const namespace = bench.namespace();
    let now = 1000;
    const unlimited = Number.POSITIVE_INFINITY;
    const limits = { historyLimit: unlimited, historyMaxAgeMs: 100 };
    const store = await bench.open({ namespace, ...limits, clock: () => now });
    const key = `{${namespace}:0}:history:a`;
    bench.later(() => bench.redis().del(key));
    for (let index = 0; index < 40; index++) await run(store, 'a', 1000);
    now = 1100;
    expect(await store.history('a', 99)).toHaveLength(40);
    now = 1101;
    expect(await store.history('a', 99)).toEqual([]);
    // Each run tidies up with a chance of 1 in 3 at first.
    for (let index = 0; index < 80; index++) await run(store, 'a', now);
    expect(await bench.redis().hlen(key)).toBeLessThan(120);
  });
});
