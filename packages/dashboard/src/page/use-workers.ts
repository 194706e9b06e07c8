import { get, serverNow } from './api.js';
import { remember } from './histograms.js';
import { type Query, useQuery } from './query.js';
import { storeAlias } from './router.js';
import type { Worker } from './types.js';

/** Who is at work on the store. What they say of single minutes is kept. */
export function useWorkers(): Query<readonly Worker[]> {
  return useQuery(
    'workers',
    async (signal) => {
      const workers = await get<Worker[]>('workers', {}, signal);
      remember(storeAlias.value, workers, serverNow());
      return workers;
    },
    5000,
  );
}
