/** A document as `mongodb` gives it. */
// biome-ignore lint/suspicious/noExplicitAny: what `mongodb` itself says, so that its classes fit.
export type MongoDocument = Record<string, any>;

/** The part of a `MongoClient` of `mongodb` that is used: one of the user's own fits. */
export interface MongoClientLike {
  db(name?: string, options?: MongoDocument): MongoDatabaseLike;
}

/** The part of a `Db` of `mongodb` that is used. */
export interface MongoDatabaseLike {
  command(command: MongoDocument, options?: MongoDocument): Promise<MongoDocument>;
  collection(name: string, options?: MongoDocument): MongoCollectionLike;
  listCollections(filter: MongoDocument): MongoCursorLike;
}

/** The part of a `Collection` of `mongodb` that is used. */
export interface MongoCollectionLike {
  aggregate(pipeline: MongoDocument[], options?: MongoDocument): MongoCursorLike;
  bulkWrite(
    operations: readonly MongoWrite[],
    options?: MongoDocument,
  ): Promise<{ readonly matchedCount: number }>;
  countDocuments(filter: MongoDocument, options?: MongoDocument): Promise<number>;
  createIndex(keys: MongoDocument, options?: MongoDocument): Promise<string>;
  deleteMany(
    filter: MongoDocument,
    options?: MongoDocument,
  ): Promise<{ readonly deletedCount: number }>;
  find(filter: MongoDocument, options?: MongoDocument): MongoCursorLike;
  findOneAndUpdate(
    filter: MongoDocument,
    update: MongoDocument,
    options: MongoDocument,
  ): Promise<MongoDocument | null>;
  insertMany(documents: readonly MongoDocument[], options?: MongoDocument): Promise<unknown>;
  updateMany(
    filter: MongoDocument,
    update: MongoDocument | MongoDocument[],
    options?: MongoDocument,
  ): Promise<{ readonly matchedCount: number }>;
  watch(pipeline?: MongoDocument[], options?: MongoDocument): MongoChangeStreamLike;
}

/** One write of several. */
export type MongoWrite =
  | { readonly updateOne: { readonly filter: MongoDocument; readonly update: MongoDocument[] } }
  | { readonly updateMany: { readonly filter: MongoDocument; readonly update: MongoDocument[] } };

export interface MongoCursorLike {
  toArray(): Promise<MongoDocument[]>;
}

/** The part of a `ChangeStream` of `mongodb` that is used. */
export interface MongoChangeStreamLike {
  on(event: string, listener: (event: MongoDocument) => void): unknown;
  close(): Promise<void>;
}

/** The part of a `ClientSession` of `mongodb` that is used: one of the user's own, in a transaction. */
export interface MongoSessionLike {
  inTransaction(): boolean;
}

export function isClient(value: unknown): value is MongoClientLike {
  return typeof (value as Partial<MongoClientLike> | null | undefined)?.db === 'function';
}

export function isSession(
  value: unknown,
): value is MongoSessionLike & { readonly client?: unknown } {
  const { inTransaction } = (value ?? {}) as Partial<MongoSessionLike>;
  return typeof inTransaction === 'function';
}
