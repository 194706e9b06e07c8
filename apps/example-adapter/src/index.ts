export { LmdbDataStore, type LmdbDataStoreOptions } from './lmdb-data-store.ts';
