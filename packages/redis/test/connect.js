import { RedisDataStore } from '@sched/redis';

/** @param {import('@sched/redis').RedisDataStoreOptions} options */
export default (options) => new RedisDataStore(options);
