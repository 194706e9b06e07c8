export { type InstrumentOptions, instrument } from './instrument.js';
export { instrumentStore, type StoreMetricsOptions } from './instrument-store.js';
