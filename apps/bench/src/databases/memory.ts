import { MemoryDataStore } from '@sched/memory';
import type { Database } from '../database.ts';

export const memory: Database = {
  name: 'memory',
  durability: 'none, tasks are gone with the process',
  inProcess: true,
  count: 50_000,
  farFuture: 1_000_000,
  createPlace: async (url, name) => ({ database: 'memory', url, name }),
  removePlace: async () => {},
  store: (_, options) => new MemoryDataStore(options),
};
