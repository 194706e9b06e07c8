import { MongoDataStore } from '@sched/mongo';
import type { Collection } from 'mongodb';
import { MongoClient } from 'mongodb';
import type { BareLoop, Database, Place } from '../database.ts';

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
    durability: 'write concern majority, journaled',
    createPlace: async (url, name) => ({ database: service, url, name }),
    removePlace: ({ url, name }) =>
      onServer(url, async (client) => {
        await client.db(name).dropDatabase();
      }),
    store: ({ url, name }, options) => new MongoDataStore({ url, database: name, ...options }),
    openBareLoop,
  };
}

const connect = (url: string) =>
  new MongoClient(url, { writeConcern: { w: 'majority', journal: true } }).connect();

async function onServer<T>(url: string, use: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = await connect(url);
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

async function openBareLoop({ url, name }: Place): Promise<BareLoop> {
  const client = await connect(url);
  const tasks: Collection<BareDocument> = client.db(name).collection('task');
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
      const claimed = await tasks.find({ claim }).toArray();
      return new Map(claimed.map(({ _id, body }) => [_id, body]));
    },
    async complete(ids) {
      await tasks.deleteMany({ _id: { $in: [...ids] } });
    },
    count: () => tasks.countDocuments(),
    close: () => client.close(),
  };
}
