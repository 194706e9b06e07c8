import { SchedError } from '@sched/core';
import type {
  MongoClientLike,
  MongoCollectionLike,
  MongoDatabaseLike,
  MongoDocument,
  MongoSessionLike,
} from './client.js';
import { duplicatesIn, isContended, storeError } from './errors.js';
import type { Settings } from './options.js';

export interface Collections {
  readonly tasks: MongoCollectionLike;
  readonly history: MongoCollectionLike;
  readonly meta: MongoCollectionLike;
}

/** Runs commands, each on its own, or all in a transaction of the user's. */
export interface Session extends Collections {
  readonly isNested: boolean;
  /** Makes a call of the driver's, again if others were in the way. Its options go to the driver. */
  run<T>(call: (options: MongoDocument) => Promise<T>): Promise<T>;
  /** Everything that matches. */
  find(
    collection: MongoCollectionLike,
    filter: MongoDocument,
    options?: MongoDocument,
  ): Promise<MongoDocument[]>;
  /** Inserts those whose `_id` is free. @returns the positions of the others */
  insertNew(
    collection: MongoCollectionLike,
    documents: readonly MongoDocument[],
  ): Promise<ReadonlySet<number>>;
}

/** How often a call is made again when others got in its way. */
const tries = 10;

/** Enough for any answer in one batch, as far as a message takes it. */
const batchSize = 100_000;

/** What comes out is what went in, whatever the user's client is set to. */
const plain = {
  ...{ promoteLongs: true, promoteValues: true, promoteBuffers: false, useBigInt64: false },
  ...{ raw: false, bsonRegExp: false, ignoreUndefined: false, serializeFunctions: false },
  readPreference: 'primary',
};

export function databaseOf(client: MongoClientLike, { database }: Settings): MongoDatabaseLike {
  return client.db(database);
}

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
 * @param transaction of the user's
 * @param check made before the first call
 */
export function createSession(
  collections: Collections,
  settings: Settings,
  transaction?: MongoSessionLike,
  check?: () => Promise<void>,
): Session {
  const isNested = transaction !== undefined;
  const options = transaction ? { session: transaction } : {};
  let checked: Promise<void> | undefined;

  const run: Session['run'] = async (call) => {
    for (let failures = 1; ; failures++) {
      try {
        if (transaction && !transaction.inTransaction()) throw notInTransaction();
        checked ??= check?.();
        await checked;
        return await call(options);
      } catch (error) {
        if (isNested || !isContended(error) || failures === tries) {
          throw storeError(error, settings.source);
        }
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 5 * failures));
      }
    }
  };

  const find: Session['find'] = (collection, filter, how = {}) =>
    run((options) => collection.find(filter, { batchSize, ...how, ...options }).toArray());

  return {
    ...collections,
    isNested,
    run,
    find,
    async insertNew(collection, documents) {
      const existing = new Set<number>();
      let fresh = [...documents.keys()];
      if (isNested) {
        // A transaction does not survive a duplicate.
        const ids = documents.map(({ _id }) => _id);
        const found = await find(collection, { _id: { $in: ids } }, { projection: { _id: 1 } });
        const taken = new Set(found.map(({ _id }) => JSON.stringify(_id)));
        for (const position of fresh) {
          if (taken.has(JSON.stringify(ids[position]))) existing.add(position);
        }
        fresh = fresh.filter((position) => !existing.has(position));
      }
      if (fresh.length === 0) return existing;
      const given = fresh.map((position) => documents[position] as MongoDocument);
      await run((options) =>
        collection.insertMany(given, { ...options, ordered: false }).catch((error: unknown) => {
          for (const index of duplicatesIn(error)) existing.add(fresh[index] as number);
        }),
      );
      return existing;
    },
  };
}

function notInTransaction(): SchedError {
  return new SchedError(
    'SCHED_ARGUMENT_INVALID',
    'The session given to withTransaction is in no transaction: start one before, and commit it after.',
  );
}
