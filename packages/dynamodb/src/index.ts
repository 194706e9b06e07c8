export type { DynamoDBClientLike } from './client.js';
export { DynamoDBDataStore } from './dynamodb-data-store.js';
export type {
  DynamoDBClientOptions,
  DynamoDBConnectionOptions,
  DynamoDBDataStoreOptions,
} from './options.js';
