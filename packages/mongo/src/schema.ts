import { checkSetting, isSchemaCurrent } from '@sched/core/adapter';
import type { MongoCollectionLike, MongoDatabaseLike, MongoDocument } from './client.js';
import { Pending } from './documents.js';
import type { Settings } from './options.js';
import type { Collections } from './session.js';

/** The version of the collections and their contents that this code reads and writes. */
const schemaVersion = 1;

/** The one document in the collection `….meta`: the version of the schema, and the counter. */
export const stateId = 'state';

/** Before every moment there is. Says so to servers that choose an index by what a filter implies. */
export const minWakeAt = -9e15;

/** How often it is tried again when several create the collections at the same moment. */
const tries = 10;

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
  const { collection } = settings;
  const [state] = await meta.find({ _id: stateId }).toArray();
  return isSchemaCurrent({
    what: `The collections ${collection} and ${collection}.*`,
    adapter: '@sched/mongo',
    found: state?.schema ?? 0,
    known: schemaVersion,
    migrate: settings.migrate,
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
  const index = (collection: MongoCollectionLike, name: string, keys: MongoDocument, only = {}) =>
    collection.createIndex(keys, { name, ...only });
  const where = (partialFilterExpression: MongoDocument) => ({ partialFilterExpression });
  const due = { wakeAt: { $gte: minWakeAt } };
  await index(tasks, 'due', { queue: 1, wakeAt: 1 }, where(due));
  await index(tasks, 'group', { group: 1, _id: 1 }, where({ group: { $exists: true } }));
  await index(tasks, 'pending', { pending: 1 }, where({ pending: { $gte: Pending.other } }));
  await index(history, 'newest', { '_id.task': 1, at: -1, seq: -1 });
  await index(history, 'oldest', { at: 1 });
  await index(history, 'tasks', { tasks: 1 }, where({ tasks: { $exists: true } }));
  // Not at 0: should it be lost, tokens go on growing all the same.
  const state = { schema: schemaVersion, counter: Date.now() * 1000 };
  await meta.updateMany({ _id: stateId }, { $setOnInsert: state }, { upsert: true });
}
