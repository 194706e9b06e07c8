import type { ClaimedTask, DataStore, Settlement } from '@sched/core';
import { shardOf } from '@sched/core/adapter';
import type { RedisClient } from '@sched/redis';
import { RedisDataStore } from '@sched/redis';
import {
  claimAll,
  clash,
  failure,
  record,
  records,
  settlement,
} from '@sched-tooling/adapter-tests';
import { describeOn } from '@sched-tooling/services';
import { Cluster } from 'ioredis';
import { expect, test } from 'vitest';
import type { Script } from '../src/lua.js';
import { deliver, drain } from '../src/scripts.js';
import { optionsFor } from './place.js';
import { workbench } from './support.js';

const shards = 4;
const [parent = '', child = ''] = ['parent-0', ...records(99, 'child-').map(({ id }) => id)].filter(
  (id, index) => index === 0 || shardOf(id, shards) !== shardOf('parent-0', shards),
);

await describeOn('redis', 'a task that is spawned in another shard', (server) => {
  const bench = workbench(server);

  /** A client whose use of a script goes through a function. */
  function intercepting(
    script: Script,
    intercept: (run: () => Promise<unknown>) => Promise<unknown>,
  ): RedisClient {
    const redis = bench.redis();
    return {
      info: () => redis.info(),
      config: (subcommand, parameter) => redis.config(subcommand, parameter),
      duplicate: (options) => redis.duplicate(options),
      eval: (source, ...args) => redis.eval(source, ...args),
      evalsha(sha, ...args) {
        const run = () =>
          redis.evalsha(sha, ...args).catch(() => redis.eval(script.source, ...args));
        return sha === script.sha ? intercept(run) : redis.evalsha(sha, ...args);
      },
    };
  }

  async function claimedParent(store: DataStore): Promise<ClaimedTask> {
    await store.insert([record(parent)]);
    const [task] = (await store.claim(claimAll)).tasks;
    if (!task) throw new Error('a task was claimed');
    return task;
  }

  test.each(['again', 'removed'] as const)(
    'is there though whoever settled died before it was: %s',
    async (become) => {
      const namespace = bench.namespace();
      const client = intercepting(drain, () => Promise.reject(new Error('killed')));
      const dying = await bench.open({ client, namespace, shards });
      const task = await claimedParent(dying);
      const spawn = [record(child, { runAt: 500, queue: 'r' })];
      const outcome = become === 'again' ? {} : { next: null };
      const applied = settlement(task, { ...outcome, spawn });
      await failure(() => dying.settle([applied]), 'SCHED_STORE_UNAVAILABLE');
      const store = await bench.open({ namespace });
      expect(await store.get([parent, child])).toMatchObject([
        become === 'again' ? { lease: null } : undefined,
        undefined,
      ]);
      // Any claim finds what is left to do.
      await store.claim({ ...claimAll, queues: ['none'] });
      expect(await store.get([child])).toMatchObject([{ runAt: 500, queue: 'r' }]);
      expect((await store.claim({ ...claimAll, queues: ['r'] })).tasks).toHaveLength(1);
      expect(await store.settle([applied])).toEqual([become === 'again' ? 'settled' : 'lost']);
    },
  );

  test('stays gone if it was there, and is removed later in the same call', async () => {
    const store = await bench.open({ shards });
    await store.insert([record(parent), record(child)]);
    const { tasks } = await store.claim(claimAll);
    const of = (id: string, members: Partial<Settlement>) => {
      const task = tasks.find((each) => each.id === id);
      if (!task) throw new Error(`${id} was claimed`);
      return settlement(task, members);
    };
    const spawning = of(parent, { spawn: [record(child)] });
    expect(await store.settle([spawning, of(child, { next: null })])).toEqual([
      'settled',
      'settled',
    ]);
    expect((await store.list({ limit: 9 })).tasks.map(({ id }) => id)).toEqual([parent]);
  });

  test('is there when a settlement whose answer was lost is made again', async () => {
    let isDead = true;
    const client = intercepting(drain, (run) =>
      isDead ? Promise.reject(new Error('killed')) : run(),
    );
    const store = await bench.open({ client, shards });
    const task = await claimedParent(store);
    const settle = () => store.settle([settlement(task, { spawn: [record(child)] })]);
    await failure(settle, 'SCHED_STORE_UNAVAILABLE');
    isDead = false;
    expect(await settle()).toEqual(['settled']);
    expect(await store.get([child])).toMatchObject([{ id: child }]);
  });

  test('is inserted once, however late somebody else delivers it again', async () => {
    const namespace = bench.namespace();
    const late: (() => Promise<unknown>)[] = [];
    const client = intercepting(deliver, (run) => {
      late.push(run);
      return Promise.reject(new Error('very slow'));
    });
    const slow = await bench.open({ client, namespace, shards });
    const task = await claimedParent(slow);
    const settle = () => slow.settle([settlement(task, { spawn: [record(child)] })]);
    await failure(settle, 'SCHED_STORE_UNAVAILABLE');
    const store = await bench.open({ namespace });
    await store.claim({ ...claimAll, queues: ['none'] });
    expect(await store.remove({ ids: [child] })).toBe(1);
    expect(late).toHaveLength(1);
    for (const run of late) await run();
    expect(await store.get([child])).toEqual([undefined]);
  });

  test('goes the way of any other when there are many', async () => {
    const namespace = bench.namespace();
    const store = await bench.open({ namespace, shards });
    const delivered = `{${namespace}:1}:delivered`;
    await bench.redis().zadd(delivered, 1, 'long ago');
    await store.insert(records(300, 'task-', { queue: 'p' }));
    const { tasks } = await store.claim({ ...claimAll, queues: ['p'] });
    const settlements = tasks.map((task) =>
      settlement(task, { next: null, spawn: [record(`${task.id}-a`), record(`${task.id}-b`)] }),
    );
    expect(new Set(await store.settle(settlements))).toEqual(new Set(['settled']));
    expect(await store.count({})).toBe(600);
    expect((await store.claim(claimAll)).tasks).toHaveLength(600);
    for (let shard = 0; shard < shards; shard++) {
      expect(await bench.redis().zcard(`{${namespace}:${shard}}:outbox`)).toBe(0);
    }
    expect(await bench.redis().zscore(delivered, 'long ago')).toBeNull();
  });
});

await describeOn('redis', 'several shards', (server) => {
  const bench = workbench(server);

  test('have about as many tasks each', async () => {
    const counts = Array<number>(16).fill(0);
    for (let index = 0; index < 16_000; index++) {
      const shard = shardOf(`task-${index}`, 16);
      counts[shard] = (counts[shard] ?? 0) + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(800);
    expect(Math.max(...counts)).toBeLessThan(1200);
  });

  test('are claimed from as if they were one', async () => {
    const store = await bench.open({ shards });
    const moments = Array.from({ length: 60 }, (_, index) => (index * 37) % 60);
    await store.insert(moments.map((at) => record(`at-${at}`, { runAt: at })));
    await store.insert([record('other', { queue: 'r', runAt: -5 })]);
    const taken: string[] = [];
    for (let round = 0; round < 7; round++) {
      const { tasks } = await store.claim({ ...claimAll, queues: ['q', 'r'], limit: 9 });
      taken.push(...tasks.map(({ id }) => id));
    }
    const inOrder = Array.from({ length: 60 }, (_, at) => `at-${at}`);
    expect(taken).toEqual([...inOrder, 'other']);
  });

  test('get along with calls about the same tasks at once, and leave nothing behind', async () => {
    const namespace = bench.namespace();
    const [store, other] = [
      await bench.open({ namespace, shards }),
      await bench.open({ namespace }),
    ];
    await clash(store, other, { rounds: 15, count: 60, spawned: 5 });
    expect(await other.count({})).toBe(0);
    const keys = await bench.redis().keys(`*{${namespace}:*}:*`);
    const names = new Set(keys.map((key) => key.slice(key.indexOf('}:') + 2)));
    expect([...names].sort()).toEqual(['delivered', 'history:task-1', 'meta']);
  });

  test('are asked for the history of a task that another task has settled', async () => {
    const store = await bench.open({ shards });
    await store.insert(records(20, 'settler-'));
    const { tasks } = await store.claim(claimAll);
    await store.settle(
      tasks.map((task, index) =>
        settlement(task, {
          history: [{ taskId: 'a', id: task.id, at: 1000 + (index % 5), body: '{}' }],
        }),
      ),
    );
    const entries = await store.history('a', 12);
    expect(entries.map(({ at }) => at)).toEqual([
      ...[1004, 1004, 1004, 1004, 1003, 1003, 1003, 1003, 1002, 1002, 1002, 1002],
    ]);
  });
});

await describeOn('redis-cluster', 'a cluster', (server) => {
  const bench = workbench(server);
  const { cluster } = optionsFor(server);

  test('has tasks on all its masters', async () => {
    const namespace = bench.namespace();
    const store = await bench.open({ namespace, shards: 64 });
    await store.insert(records(1000, 'task-'));
    for (const url of server.urls) {
      const node = bench.redis({}, url);
      const keys = await node.keys(`{${namespace}:*}:tasks`);
      expect(keys.length).toBeGreaterThan(0);
    }
    expect(await store.count({})).toBe(1000);
    expect(await store.remove({ all: true })).toBe(1000);
  });

  test('that a single connection was given to is recognised', async () => {
    const error = await failure(() => bench.open({ url: server.url }), 'SCHED_STORE_CONFIG');
    expect(error.message).toContain('Cluster');
  });

  test('names a wrong password', async () => {
    const redisOptions = { password: 'hunter2' };
    const nodes = server.urls.map((url) => ({ port: Number(new URL(url).port) }));
    const open = () => bench.open({ cluster: { nodes, options: { redisOptions } } });
    const error = await failure(open, 'SCHED_STORE_CONFIG');
    expect(error.message).toMatch(/cluster.*password/);
    expect(JSON.stringify(error.cause)).not.toContain('hunter2');
  });

  test('takes a Cluster of the user’s own, and leaves it open', async () => {
    const client = new Cluster([...(cluster?.nodes ?? [])], {
      ...cluster?.options,
      lazyConnect: true,
    });
    bench.later(() => client.disconnect());
    const store = new RedisDataStore({ client, namespace: bench.namespace(), shards: 2 });
    await store.open();
    expect(await store.insert([record('a')])).toEqual(['inserted']);
    await store.remove({ all: true });
    await store.close();
    expect(await client.ping()).toBe('PONG');
  });

  test('is listened to on one node, and on another one when that is gone', async () => {
    const namespace = bench.namespace();
    const store = await bench.open({ namespace });
    const heard: string[] = [];
    await store.watch(({ queue }) => heard.push(queue));
    for (const url of server.urls)
      await bench.redis({}, url).call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    const hears = async () => {
      await store.insert([record(crypto.randomUUID(), { queue: 'later' })]);
      return heard.includes('later');
    };
    await expect.poll(hears, { timeout: 10_000 }).toBe(true);
  });
});

await describeOn(
  'redis-cluster',
  'a cluster that stops',
  (server) => {
    const bench = workbench(server);

    test('fails every call, and goes on when it is back', async () => {
      const store = await bench.open();
      await store.insert(records(30, 'task-'));
      await server.stop({ kill: true });
      await failure(() => store.insert(records(30, 'lost-')), 'SCHED_STORE_UNAVAILABLE');
      await server.start();
      const count = () => store.count({}).catch(() => undefined);
      await expect.poll(count, { timeout: 20_000 }).toBe(30);
      expect((await store.claim(claimAll)).tasks).toHaveLength(30);
    });
  },
  { own: true },
);
