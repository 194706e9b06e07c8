import type { MongoCollectionLike, MongoDocument, MongoSessionLike, MongoWrite } from './client.js';
import { duplicatesIn, isContended, storeError } from './errors.js';

/** How often a call is made again when others got in its way. */
const tries = 10;

/** Enough for any answer in one batch, as far as a message takes it. */
const batchSize = 100_000;

/** A transaction of the user's. */
export interface Transaction {
  readonly session: MongoSessionLike;
  /** Rejects when nothing can be done in it. */
  check(): Promise<void>;
}

/** A collection, each call of which is on its own, or all in a transaction of the user's. */
export class Collection {
  readonly #collection: MongoCollectionLike;
  readonly #source: string;
  readonly #transaction: Transaction | undefined;

  /** @param source the setting that says where the database is */
  constructor(collection: MongoCollectionLike, source: string, transaction?: Transaction) {
    this.#collection = collection;
    this.#source = source;
    this.#transaction = transaction;
  }

  /** Makes a call of the driver's, to which the options go, again if others were in the way. */
  async call<T>(
    work: (collection: MongoCollectionLike, options: MongoDocument) => Promise<T>,
  ): Promise<T> {
    const transaction = this.#transaction;
    const options = transaction ? { session: transaction.session } : {};
    for (let failures = 1; ; failures++) {
      try {
        await transaction?.check();
        return await work(this.#collection, options);
      } catch (error) {
        if (transaction || !isContended(error) || failures === tries) {
          throw storeError(error, this.#source);
        }
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 5 * failures));
      }
    }
  }

  /** Everything that matches. */
  find(filter: MongoDocument, how: MongoDocument = {}): Promise<MongoDocument[]> {
    return this.call((collection, options) =>
      collection.find(filter, { batchSize, ...how, ...options }).toArray(),
    );
  }

  /** Inserts those whose `_id` is free. @returns the positions of the others */
  async insertNew(documents: readonly MongoDocument[]): Promise<ReadonlySet<number>> {
    const existing = new Set(this.#transaction ? await this.#present(documents) : []);
    const fresh = [...documents.keys()].filter((position) => !existing.has(position));
    if (fresh.length === 0) return existing;
    const given = fresh.map((position) => documents[position] as MongoDocument);
    await this.call((collection, options) =>
      collection.insertMany(given, { ...options, ordered: false }).catch((error: unknown) => {
        for (const index of duplicatesIn(error)) existing.add(fresh[index] as number);
      }),
    );
    return existing;
  }

  /** The positions of those that are there: a transaction does not survive a duplicate. */
  async #present(documents: readonly MongoDocument[]): Promise<number[]> {
    const filter = { _id: { $in: documents.map(({ _id }) => _id) } };
    const found = await this.find(filter, { projection: { _id: 1 } });
    const taken = new Set(found.map(({ _id }) => JSON.stringify(_id)));
    return documents.flatMap(({ _id }, at) => (taken.has(JSON.stringify(_id)) ? [at] : []));
  }

  /** @returns how many matched */
  async update(filter: MongoDocument, update: MongoDocument | MongoDocument[]): Promise<number> {
    const { matchedCount } = await this.call((collection, options) =>
      collection.updateMany(filter, update, options),
    );
    return matchedCount;
  }

  /** Makes several updates after which nothing matches them, in any order. @returns how many documents matched theirs */
  async updateEach(writes: readonly MongoWrite[]): Promise<number> {
    if (writes.length === 0) return 0;
    let before = 0;
    const { matchedCount } = await this.call((collection, options) =>
      collection.bulkWrite(writes, { ...options, ordered: false }).catch((error: unknown) => {
        before += (error as { readonly matchedCount?: number }).matchedCount ?? 0;
        throw error;
      }),
    );
    return before + matchedCount;
  }

  /** @returns how many matched, and are gone */
  async remove(filter: MongoDocument): Promise<number> {
    const { deletedCount } = await this.call((collection, options) =>
      collection.deleteMany(filter, options),
    );
    return deletedCount;
  }
}
