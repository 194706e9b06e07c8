export type {
  MysqlCallbacks,
  MysqlConnection,
  MysqlConnectionOptions,
  MysqlPool,
  MysqlPoolConnection,
  MysqlStatement,
} from './client.js';
export { MysqlDataStore } from './mysql-data-store.js';
export type {
  MysqlConnectOptions,
  MysqlDataStoreOptions,
  MysqlPoolOptions,
  MysqlUrlOptions,
} from './options.js';
export { schemaSql } from './schema-sql.js';
