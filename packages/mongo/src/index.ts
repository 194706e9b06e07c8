export type {
  MongoChangeStreamLike,
  MongoClientLike,
  MongoCollectionLike,
  MongoCursorLike,
  MongoDatabaseLike,
  MongoDocument,
  MongoSessionLike,
  MongoWrite,
} from './client.js';
export { MongoDataStore } from './mongo-data-store.js';
export type {
  MongoClientOptions,
  MongoDataStoreOptions,
  MongoUrlOptions,
  MongoWriteConcern,
} from './options.js';
