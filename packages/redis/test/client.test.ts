import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { RedisDataStore } from '@sched/redis';
import { claimAll, failure, record, settlement } from '@sched-tooling/adapter-tests';
import { describeOn } from '@sched-tooling/services';
import { expect, test } from 'vitest';
import { workbench } from './support.js';

await describeOn('redis', 'a client of the user’s own', (server) => {
  const bench = workbench(server);

  test('is neither closed nor configured', async () => {
    const client = bench.redis();
    await client.ping();
    const state = () => ({
      options: inspect(client.options, { depth: 5 }),
      status: client.status,
      listeners: client.eventNames().map((name) => [name, client.listenerCount(name)]),
    });
    const before = state();
    const store = await bench.open({ client });
    await store.insert([record('a')]);
    const stop = await store.watch(() => {});
    await stop();
    await store.remove({ all: true });
    await store.close();
    expect(state()).toEqual(before);
    expect(await client.ping()).toBe('PONG');
  });

  test.each<[string, object]>([
    ['a key prefix and numbers as text', { keyPrefix: 'mine:', stringNumbers: true }],
    ['objects for maps', { replyMapping: 'resp3' }],
    ['the older protocol', { protocol: 2 }],
    ['pipelines of its own', { enableAutoPipelining: true }],
    ['no queue while offline, and no connection yet', { lazyConnect: true }],
  ])('may be set to use %s', async (_, options) => {
    const namespace = bench.namespace();
    const client = bench.redis(options);
    const store = await bench.open({ client, namespace });
    const heard: unknown[] = [];
    await store.watch((wakeUp) => heard.push(wakeUp));
    await store.insert([record('a', { group: 'g' }), record('b', { runAt: 5000 })]);
    expect(await store.count({ group: 'g' })).toBe(1);
    expect(await store.count({ name: 'job' })).toBe(2);
    const { tasks, nextWakeAt } = await store.claim(claimAll);
    expect(nextWakeAt).toBe(2000);
    const [task] = tasks;
    if (!task) throw new Error('a task was claimed');
    const history = [{ taskId: 'a', id: 'run', at: 1000, body: '{}' }];
    expect(await store.settle([settlement(task, { history })])).toEqual(['settled']);
    expect(await store.history('a', 9)).toEqual(history);
    expect(await store.setPaused({ all: true }, true)).toBe(2);
    await expect.poll(() => heard).toContainEqual({ queue: 'q', wakeAt: 1000 });
    expect(await store.remove({ all: true })).toBe(2);
  });

  test('that has ended fails every call, and opening', async () => {
    const client = bench.redis();
    const store = await bench.open({ client });
    client.disconnect();
    await failure(() => store.count({}), 'SCHED_STORE_UNAVAILABLE');
    const open = () => new RedisDataStore({ client }).open();
    await failure(open, 'SCHED_STORE_UNAVAILABLE');
  });

  test('watching takes a connection of its own, and only while somebody watches', async () => {
    const name = randomUUID();
    const client = bench.redis({ connectionName: name });
    const store = await bench.open({ client });
    const connections = async () =>
      String(await client.client('LIST')).split(`name=${name} `).length - 1;
    expect(await connections()).toBe(1);
    const stops = await Promise.all([store.watch(() => {}), store.watch(() => {})]);
    expect(await connections()).toBe(2);
    for (const stop of stops) await stop();
    await expect.poll(connections).toBe(1);
    await store.watch(() => {});
    await store.close();
    await expect.poll(connections).toBe(1);
  });
});
