import { MongoDataStore } from '@sched/mongo';
import type { Collection } from 'mongodb';
import { MongoClient } from 'mongodb';
import type { BareLoop, Database } from '../database.ts';

interface BareDocument {
  readonly _id: string;
  readonly due: number;
  readonly body: string;
  readonly claim?: string;
}

/** A server that speaks MongoDB's protocol. */
export function mongoDatabase(
  service: 'mongodb' | 'ferretdb' | 'secantusdb',
  count: number,
  farFuture: number,
): Database {
  return {
    ...{ name: service, service, count, farFuture },
    async createPlace(url) {
      const database = `bench_${crypto.randomUUID().slice(0, 8)}`;
      const client = new MongoClient(url, { writeConcern: { w: 'majority', journal: true } });
      await client.connect();
      return {
        connect: (options) => new MongoDataStore({ url, database, ...options }),
        openBareLoop: () => bareLoop(client.db(database).collection('task')),
        async dispose() {
          await client.db(database).dropDatabase();
          await client.close();
        },
      };
    },
  };
}

async function bareLoop(tasks: Collection<BareDocument>): Promise<BareLoop> {
  await tasks.createIndex({ due: 1 });
  await tasks.createIndex({ claim: 1 }, { sparse: true });
  return {
    async insert(batch) {
      await tasks.insertMany(batch.map(({ id, ...rest }) => ({ _id: id, ...rest })));
    },
    async claim(limit, now, leaseEnd) {
      const claim = crypto.randomUUID();
      const due = { due: { $lte: now } };
      const found = await tasks
        .find(due, { projection: { _id: 1 }, sort: { due: 1 }, limit })
        .toArray();
      const ids = found.map(({ _id }) => _id);
      await tasks.updateMany({ _id: { $in: ids }, ...due }, { $set: { claim, due: leaseEnd } });
      return (await tasks.find({ claim }).toArray()).map(({ _id }) => _id);
    },
    async complete(ids) {
      await tasks.deleteMany({ _id: { $in: [...ids] } });
    },
  };
}
