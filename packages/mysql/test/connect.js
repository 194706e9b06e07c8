import { MysqlDataStore } from '@sched/mysql';

/** @param {import('@sched/mysql').MysqlDataStoreOptions} options */
export default (options) => new MysqlDataStore(options);
