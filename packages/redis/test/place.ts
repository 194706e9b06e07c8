import { randomUUID } from 'node:crypto';
import type { ConformancePlace } from '@sched/core/conformance';
import { RedisDataStore } from '@sched/redis';
import type { RunningService } from '@sched-tooling/services';

/** The options by which stores reach a server; on a cluster with several shards. */
export function optionsFor({ name, url, urls }: RunningService) {
  if (name !== 'redis-cluster') return { url };
  const { username, password } = new URL(url);
  return {
    cluster: { nodes: urls, options: { redisOptions: { username, password } } },
    shards: 3,
  };
}

/** A namespace of its own, for the conformance kit. */
export function createPlace(server: RunningService): ConformancePlace {
  const options = { ...optionsFor(server), namespace: `test-${randomUUID()}` };
  return {
    connect: (given) => new RedisDataStore({ ...options, ...given }),
    process: { module: new URL('connect.js', import.meta.url).href, argument: options },
    async dispose() {
      const store = new RedisDataStore(options);
      await store.open();
      await store.remove({ all: true });
      await store.close();
    },
  };
}
