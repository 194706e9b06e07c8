import { randomUUID } from 'node:crypto';
import type { ConformanceAddress, ConformancePlace } from '@sched/core/conformance';
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

/** The URL with another host and port in it. */
function addressed({ url }: RunningService, { host, port }: ConformanceAddress): string {
  return Object.assign(new URL(url), { hostname: host, port: String(port) }).href;
}

/** A namespace of its own, for the conformance kit. */
export function createPlace(server: RunningService): ConformancePlace {
  const namespace = `test-${randomUUID()}`;
  const options = { ...optionsFor(server), namespace };
  const { hostname, port } = new URL(server.url);
  return {
    connect: (given, address) =>
      new RedisDataStore(
        address
          ? { url: addressed(server, address), namespace, ...given }
          : { ...optionsFor(server), namespace, ...given },
      ),
    // The nodes of a cluster tell each other's addresses to its clients.
    ...(server.name !== 'redis-cluster' && { address: { host: hostname, port: Number(port) } }),
    process: { module: new URL('connect.js', import.meta.url).href, argument: options },
    async dispose() {
      const store = new RedisDataStore(options);
      await store.open();
      await store.remove({ all: true });
      await store.close();
    },
  };
}
