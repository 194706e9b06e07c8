import { randomUUID } from 'node:crypto';
import type { RedisDataStoreOptions, RedisWarning } from '@sched/redis';
import { RedisDataStore } from '@sched/redis';
import { claimAll, failure, record, settlement } from '@sched-tooling/adapter-tests';
import { describeOn } from '@sched-tooling/services';
import { expect, test, vi } from 'vitest';
import { optionsFor } from './place.js';
import { workbench } from './support.js';

const secret = 'hunter2';

await describeOn(
  'redis',
  'what the server is set to',
  (server) => {
    const bench = workbench(server);

    async function set(parameter: string, value: string): Promise<void> {
      const admin = bench.redis();
      const [, before = ''] = (await admin.config('GET', parameter)) as string[];
      await admin.config('SET', parameter, value);
      bench.later(() => bench.redis().config('SET', parameter, before));
    }

    async function warningsOf(options: Partial<RedisDataStoreOptions> = {}) {
      const warnings: RedisWarning[] = [];
      const onWarning = (warning: RedisWarning) => warnings.push(warning);
      await bench.open({ ...optionsFor(server), ...options, onWarning } as RedisDataStoreOptions);
      return warnings;
    }

    test.each(['allkeys-lru', 'volatile-ttl'])(
      'a server that evicts is refused unless that is accepted: %s',
      async (policy) => {
        await set('maxmemory-policy', policy);
        const error = await failure(() => bench.open(), 'SCHED_STORE_CONFIG');
        expect(error.message).toMatch(new RegExp(`${policy}.*noeviction.*allowEviction`));
        const store = await bench.open({ allowEviction: true });
        expect(await store.insert([record('a')])).toEqual(['inserted']);
      },
    );

    test('a server that keeps nothing is warned of', async () => {
      expect(await warningsOf()).toEqual([]);
      await set('appendonly', 'no');
      const [warning, ...others] = await warningsOf();
      expect(warning).toMatchObject({ kind: 'notPersistent' });
      expect(warning?.message).toContain('appendonly');
      expect(others).toEqual([]);
      await set('save', '3600 1');
      expect(await warningsOf()).toEqual([]);
    });

    test('warnings go to the process unless somebody takes them', async () => {
      await set('appendonly', 'no');
      const emitted = new Promise<Error>((resolve) => process.once('warning', resolve));
      await bench.open();
      expect(await emitted).toMatchObject({
        name: 'RedisWarning',
        code: 'notPersistent',
      });
    });

    test('a user needs no more than the README lists', async () => {
      const namespace = bench.namespace();
      const user = randomUUID();
      const rights = [
        ...['resetkeys', `~{${namespace}:*`, 'resetchannels', `&{${namespace}}:wake`],
        ...['-@all', '+evalsha', '+eval', '+subscribe', '+unsubscribe', '+publish', '+time'],
        ...['+hget', '+hset', '+hdel', '+hmget', '+hsetnx', '+hlen', '+hvals', '+exists'],
        ...['+zadd', '+zrem', '+zrange', '+zrangebylex', '+zrangebyscore', '+zlexcount', '+zcard'],
        ...['+zscore', '+zremrangebylex', '+zremrangebyscore'],
        ...['+get', '+set', '+del', '+type', '+pexpire'],
      ];
      await bench.redis().acl('SETUSER', user, 'on', `>${secret}`, ...rights);
      bench.later(() => bench.redis().acl('DELUSER', user));
      const url = Object.assign(new URL(server.url), { username: user, password: secret }).href;
      const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
      bench.later(() => warn.mockRestore());
      const warnings = await warningsOf({ url, namespace });
      expect(warnings).toMatchObject([{ kind: 'unchecked' }]);
      const { clock: _, ...live } = { url, namespace, onWarning() {}, clock: 0 };
      const store = new RedisDataStore({ ...live, shards: 1 });
      await store.open();
      bench.later(() => store.close());
      const stop = await store.watch(() => {});
      await store.insert([record('a', { group: 'g' }), record('b')]);
      const { tasks } = await store.claim(claimAll);
      await store.extend(
        tasks.map(({ id, lease }) => ({ id, token: lease.token })),
        1000,
      );
      await store.settle(
        tasks.map((task) =>
          settlement(task, { history: [{ taskId: 'a', id: task.id, at: Date.now(), body: '{}' }] }),
        ),
      );
      expect(await store.history('a', 9)).toHaveLength(2);
      expect(await store.count({ group: 'g' })).toBe(1);
      expect((await store.list({ limit: 9 })).tasks).toHaveLength(2);
      await stop();
      expect(await store.remove({ all: true })).toBe(2);
    });

    test('a user with too few rights is told so', async () => {
      const user = randomUUID();
      await bench.redis().acl('SETUSER', user, 'on', `>${secret}`, '~*', '&*', '+@all', '-evalsha');
      bench.later(() => bench.redis().acl('DELUSER', user));
      const url = Object.assign(new URL(server.url), { username: user, password: secret }).href;
      const error = await failure(() => bench.open({ url }), 'SCHED_STORE_CONFIG');
      expect(error.message).toMatch(/NOPERM.*README/);
    });
  },
  { own: true },
);
