import { RedisDataStore } from '@sched/redis';
import { Redis } from 'ioredis';
import type { BareLoop, Database } from '../database.ts';

export const redis: Database = {
  name: 'redis',
  service: 'redis',
  count: 100_000,
  farFuture: 200_000,
  async createPlace(url) {
    const namespace = `bench-${crypto.randomUUID().slice(0, 8)}`;
    const client = new Redis(url);
    return {
      connect: (options) => new RedisDataStore({ url, namespace, ...options }),
      openBareLoop: async () => bareLoop(client, namespace),
      async dispose() {
        // The server is the benchmark's own.
        await client.flushdb();
        client.disconnect();
      },
    };
  },
};

/** One script a batch, as the queues on Redis have it. */
function bareLoop(client: Redis, namespace: string): BareLoop {
  const [due, bodies] = [`${namespace}:due`, `${namespace}:bodies`];
  const claimScript = `
    local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[2], 'LIMIT', 0, ARGV[1])
    if #ids == 0 then return {} end
    local args = {}
    for i = 1, #ids do args[2 * i - 1] = ARGV[3]; args[2 * i] = ids[i] end
    redis.call('ZADD', KEYS[1], unpack(args))
    return { ids, redis.call('HMGET', KEYS[2], unpack(ids)) }
  `;
  const sha = client.script('LOAD', claimScript) as Promise<string>;
  return {
    async insert(tasks) {
      await client
        .multi()
        .zadd(due, ...tasks.flatMap(({ id, due: score }) => [score, id]))
        .hset(bodies, ...tasks.flatMap(({ id, body }) => [id, body]))
        .exec();
    },
    async claim(limit, now, leaseEnd) {
      const answer = await client.evalsha(await sha, 2, due, bodies, limit, now, leaseEnd);
      const [ids = []] = answer as [string[]?];
      return ids;
    },
    async complete(ids) {
      await client
        .multi()
        .zrem(due, ...ids)
        .hdel(bodies, ...ids)
        .exec();
    },
  };
}
