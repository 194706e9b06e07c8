import { importDriver, SchedError } from '@sched/core';
import { type AtEnd, checkServerVersion } from '@sched/core/adapter';
import type { MongoClientLike, MongoDatabaseLike } from './client.js';
import { storeError } from './errors.js';
import type { Settings } from './options.js';
import { type Collections, collectionsOf, migrate } from './schema.js';

/** Where an open store sends its commands. */
export interface Connection {
  readonly collections: Collections;
  /** Whether the server belongs to a replica set or a sharded cluster: it has change streams and transactions. */
  readonly isReplicated: boolean;
}

/** The oldest server: https://www.mongodb.com/legal/support-policy/lifecycles */
const minimumVersion = '4.4';

/** What the store's own client is made with, unless the user says otherwise. */
const defaults = {
  appName: '@sched/mongo',
  serverSelectionTimeoutMS: 10_000,
  connectTimeoutMS: 10_000,
};

/** @throws SchedError as `DataStore.open` says */
export async function connect(settings: Settings, atEnd: AtEnd): Promise<Connection> {
  try {
    let client: MongoClientLike | undefined = settings.client;
    if (!client) {
      const { MongoClient } = await importDriver('mongodb', () => import('mongodb'));
      const own = new MongoClient(settings.url ?? '', { ...defaults, ...settings.options });
      atEnd(() => own.close());
      client = await own.connect();
    }
    const database = client.db(settings.database);
    const isReplicated = await isInReplicaSet(database);
    const { version = '0' } = await database.command({ buildInfo: 1 });
    checkServerVersion('MongoDB', String(version), minimumVersion, '@sched/mongo');
    const collections = collectionsOf(database, settings);
    await migrate(database, collections, settings);
    return { collections, isReplicated };
  } catch (error) {
    throw storeError(error, settings.source);
  }
}

async function isInReplicaSet(database: MongoDatabaseLike): Promise<boolean> {
  const { setName, msg } = await database.command({ hello: 1 });
  return setName !== undefined || msg === 'isdbgrid';
}

/** @throws SchedError `SCHED_STORE_UNSUPPORTED` when the server has no transactions: some then just ignore them */
export async function assertTransactions(database: MongoDatabaseLike): Promise<void> {
  if (!(await isInReplicaSet(database))) throw withoutTransactions();
}

export function withoutTransactions(): SchedError {
  return new SchedError(
    'SCHED_STORE_UNSUPPORTED',
    'A standalone MongoDB server has no transactions. Make it a replica set, which may have a single member.',
  );
}
