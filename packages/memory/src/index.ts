export { MemoryDataStore } from './memory-data-store.js';
