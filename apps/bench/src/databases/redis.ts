import { RedisDataStore } from '@sched/redis';
import { Redis } from 'ioredis';
import type { BareLoop, Database, Place } from '../database.ts';

export const redis: Database = {
  name: 'redis',
  service: 'redis',
  durability: 'append-only file, fsync every second',
  count: 50_000,
  farFuture: 200_000,
  createPlace: async (url, name) => ({ database: 'redis', url, name }),
  // The server is the benchmark's own.
  removePlace: ({ url }) => onServer(url, (client) => client.flushall()),
  countStatements: ({ url }) =>
    onServer(url, async (client) =>
      Number(/total_commands_processed:(\d+)/.exec(await client.info('stats'))?.[1]),
    ),
  store: ({ url, name }, options) => new RedisDataStore({ url, namespace: name, ...options }),
  openBareLoop: async (place) => bareLoop(place),
};

async function onServer<T>(url: string, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url);
  try {
    return await use(client);
  } finally {
    client.disconnect();
  }
}

/** One script a batch, as the queues on Redis have it. */
function bareLoop({ url, name }: Place): BareLoop {
  const client = new Redis(url);
  const [due, bodies] = [`${name}:due`, `${name}:bodies`];
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
      const [ids = [], texts = []] = answer as [string[]?, string[]?];
      return new Map(ids.map((id, i) => [id, texts[i] ?? '']));
    },
    async complete(ids) {
      await client
        .multi()
        .zrem(due, ...ids)
        .hdel(bodies, ...ids)
        .exec();
    },
    count: () => client.zcard(due),
    close: async () => client.disconnect(),
  };
}
