/**
 * What the data stores of all databases have in common, for whoever writes one. The contract is all that a store has to
 * keep; how it does is its own affair, and so is whether it uses any of this.
 *
 * @module
 */

export { AdapterStore } from './adapter-store.js';
export { chunks, firstOfEach, shardOf } from './batches.js';
export type { AtEnd, StoreCalls, TaskChange } from './calls.js';
export { earliest, toClaimed } from './claims.js';
export {
  checkCursor,
  type ErrorMeanings,
  firstError,
  notInTransaction,
  toStoreError,
} from './errors.js';
export { drawForgetting, type Forgetting } from './history.js';
export { readPosition, toLatestPage } from './latest-history.js';
export type { Sized, StoreLimits } from './limits.js';
export { isFiltered, listingHorizon, matchesFilter, toPage } from './listings.js';
export {
  type AdapterOptions,
  type AdapterSettings,
  checkName,
  checkSetting,
  checkSqlName,
  checkUrl,
  checkWhole,
  readAdapterOptions,
  theOneGiven,
  type WithDefaults,
  type Without,
} from './options.js';
export {
  checkServerVersion,
  isSchemaCurrent,
  type SchemaCheck,
  type SchemaSql,
  schemaError,
} from './schema.js';
export { type TaskRow, taskColumns, toConditions, toNumber, toRecord } from './sql.js';
export { UnderWay } from './under-way.js';
export { type Ear, type Subscribe, Watcher } from './watcher.js';
