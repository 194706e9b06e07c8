import { MongoDataStore } from '@sched/mongo';

/** @param {import('@sched/mongo').MongoDataStoreOptions} options */
export default (options) => new MongoDataStore(options);
