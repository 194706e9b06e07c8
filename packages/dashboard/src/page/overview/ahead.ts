import { get, serverNow } from '../api.js';
import { type Query, useQuery } from '../query.js';
import type { Upcoming } from '../types.js';

/** What comes, and when that was so. */
export interface Ahead extends Upcoming {
  readonly readAt: number;
}

/** How many runs to ask for. */
export const askedRuns = 500;

export function useAhead(): Query<Ahead> {
  return useQuery(
    'upcoming',
    async (signal) => ({
      ...(await get<Upcoming>('upcoming', { limit: askedRuns }, signal)),
      readAt: serverNow(),
    }),
    15_000,
  );
}
