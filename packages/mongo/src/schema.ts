import { checkSetting, isSchemaCurrent } from '@sched/core/adapter';
import type { MongoCollectionLike, MongoDatabaseLike, MongoDocument } from './client.js';
import type { Settings } from './options.js';

/** Where the tasks are, what is kept of their runs, and the one document of all that share them. */
export interface Collections {
  readonly tasks: MongoCollectionLike;
  readonly history: MongoCollectionLike;
  readonly meta: MongoCollectionLike;
}

/** The version of the collections and their contents that this code reads and writes. */
const schemaVersion = 1;

/** The one document in the collection `….meta`: the version of the schema, and the counter. */
export const stateId = 'state';

/** Before every moment there is. Says so to servers that choose an index by what a filter implies. */
export const minWakeAt = -9e15;

/** What is left to be done about a document of a task, where there is something. */
export const Pending = { other: 1, spawn: 2 } as const;

/** How often it is tried again when several create the collections at the same moment. */
const tries = 10;

/** What comes out is what went in, whatever the user's client is set to. */
const plain = {
  ...{ promoteLongs: true, promoteValues: true, promoteBuffers: false, useBigInt64: false },
  ...{ raw: false, bsonRegExp: false, ignoreUndefined: false, serializeFunctions: false },
  readPreference: 'primary',
};

export function collectionsOf(database: MongoDatabaseLike, settings: Settings): Collections {
  const { collection, writeConcern } = settings;
  const options = { ...plain, readConcern: { level: 'local' }, writeConcern };
  return {
    tasks: database.collection(collection, options),
    history: database.collection(`${collection}.history`, options),
    meta: database.collection(`${collection}.meta`, options),
  };
}

/**
 * Brings the schema to {@link schemaVersion}, or finds it there.
 *
 * @throws SchedError `SCHED_STORE_SCHEMA` when the schema is newer, or missing and must not be created
 */
export async function migrate(
  database: MongoDatabaseLike,
  collections: Collections,
  settings: Settings,
): Promise<void> {
  if (await isCurrent(collections, settings)) return;
  await checkCollation(database, settings);
  for (let failures = 1; ; failures++) {
    try {
      await create(collections);
      return;
    } catch (error) {
      if (failures === tries) throw error;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20 * failures));
      if (await isCurrent(collections, settings)) return;
    }
  }
}

async function isCurrent({ meta }: Collections, settings: Settings): Promise<boolean> {
  const { collection, migrate } = settings;
  const [state] = await meta.find({ _id: stateId }).toArray();
  return isSchemaCurrent({
    ...{ what: `The collections ${collection} and ${collection}.*`, adapter: '@sched/mongo' },
    ...{ found: state?.schema ?? 0, known: schemaVersion, migrate },
    settings: 'database and collection',
  });
}

/** Ids are compared byte by byte, which a collection with a collation of its own does not do. */
async function checkCollation(database: MongoDatabaseLike, { collection }: Settings) {
  const [found] = await database.listCollections({ name: collection }).toArray();
  checkSetting(
    !found?.options?.collation,
    `collection: ${collection} exists already, with a collation. Choose another, which is then created without one.`,
  );
}

async function create({ tasks, history, meta }: Collections): Promise<void> {
  const where = (partialFilterExpression: MongoDocument) => ({ partialFilterExpression });
  const indexes: [MongoCollectionLike, name: string, keys: MongoDocument, only?: MongoDocument][] =
    [
      [tasks, 'due', { queue: 1, wakeAt: 1 }, where({ wakeAt: { $gte: minWakeAt } })],
      [tasks, 'group', { group: 1, _id: 1 }, where({ group: { $exists: true } })],
      [tasks, 'pending', { pending: 1 }, where({ pending: { $gte: Pending.other } })],
      [history, 'newest', { '_id.task': 1, at: -1, seq: -1 }],
      [history, 'oldest', { at: 1 }],
      [history, 'tasks', { tasks: 1 }, where({ tasks: { $exists: true } })],
    ];
  for (const [collection, name, keys, only] of indexes) {
    await collection.createIndex(keys, { name, ...only });
  }
  // Not at 0: should it be lost, tokens go on growing all the same.
  const state = { schema: schemaVersion, counter: Date.now() * 1000 };
  await meta.updateMany({ _id: stateId }, { $setOnInsert: state }, { upsert: true });
}
