import { PostgresDataStore } from '@sched/postgres';

/** @param {import('@sched/postgres').PostgresDataStoreOptions} options */
export default (options) => new PostgresDataStore(options);
