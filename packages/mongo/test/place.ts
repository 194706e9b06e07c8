import type { ConformancePlace } from '@sched/core/conformance';
import { MongoDataStore } from '@sched/mongo';
import { MongoClient } from 'mongodb';

/** A name that no other test has. */
export function freshName(): string {
  return `test_${crypto.randomUUID().replaceAll('-', '').slice(0, 20)}`;
}

/** A database of its own, for the conformance kit. */
export function createPlace(url: string): ConformancePlace {
  const database = freshName();
  return {
    connect: (options) => new MongoDataStore({ url, database, ...options }),
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
