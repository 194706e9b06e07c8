export type {
  RedisClient,
  RedisCluster,
  RedisCommands,
  RedisConnection,
  RedisSubscriber,
} from './client.js';
export type {
  RedisClientOptions,
  RedisClusterOptions,
  RedisConnectionOptions,
  RedisDataStoreOptions,
  RedisUrlOptions,
  RedisWarning,
} from './options.js';
export { RedisDataStore } from './redis-data-store.js';
