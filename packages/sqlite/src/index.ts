export type { SqliteDatabase, SqliteStatement, SqliteValue } from './client.js';
export type {
  SqliteDatabaseOptions,
  SqliteDataStoreOptions,
  SqlitePathOptions,
} from './options.js';
export { schemaSql } from './schema-sql.js';
export { SqliteDataStore } from './sqlite-data-store.js';
