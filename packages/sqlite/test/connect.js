import { SqliteDataStore } from '@sched/sqlite';

/** @param {string} path */
export default (path) => new SqliteDataStore({ path });
