export type {
  PgClient,
  PgConnectionOptions,
  PgPool,
  PgPoolClient,
  PgQueryable,
  PgRow,
} from './client.js';
export type {
  PostgresConnectionOptions,
  PostgresDataStoreOptions,
  PostgresPoolOptions,
  PostgresUrlOptions,
} from './options.js';
export { PostgresDataStore } from './postgres-data-store.js';
export { schemaSql } from './schema-sql.js';
