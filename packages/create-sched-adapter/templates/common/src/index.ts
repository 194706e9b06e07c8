export { AcmeDataStore } from './acme-data-store.ts';
export type { AcmeDataStoreOptions } from './options.ts';
