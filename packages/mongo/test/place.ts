import type { ConformanceAddress, ConformancePlace } from '@sched/core/conformance';
import { MongoDataStore } from '@sched/mongo';
import { MongoClient } from 'mongodb';

/** A name that no other test has. */
export function freshName(): string {
  return `test_${crypto.randomUUID().replaceAll('-', '').slice(0, 20)}`;
}

/** The URL with another host and port in it. */
function addressed(url: string, address: ConformanceAddress | undefined): string {
  if (!address) return url;
  const other = Object.assign(new URL(url), { hostname: address.host, port: `${address.port}` });
  // Or else the driver asks a replica set for the addresses of its members, and goes there.
  other.searchParams.set('directConnection', 'true');
  return other.href;
}

/** A database of its own, for the conformance kit. */
export function createPlace(url: string): ConformancePlace {
  const database = freshName();
  const { hostname, port } = new URL(url);
  return {
    connect: (options, address) =>
      new MongoDataStore({ url: addressed(url, address), database, ...options }),
    address: { host: hostname, port: Number(port) },
    process: { module: new URL('connect.js', import.meta.url).href, argument: { url, database } },
    async beginTransaction() {
      const client = await new MongoClient(url).connect();
      const tx = client.startSession();
      tx.startTransaction();
      return {
        tx,
        commit: () => tx.commitTransaction().finally(() => client.close()),
        rollback: () => tx.abortTransaction().finally(() => client.close()),
      };
    },
    async dispose() {
      const client = new MongoClient(url);
      await client.db(database).dropDatabase();
      await client.close();
    },
  };
}
