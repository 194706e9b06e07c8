/** What the server has: stores, what each of them can do, and task definitions. */

import { signal } from '@preact/signals';
import { getGlobal } from './api.js';
import { storeAlias } from './router.js';
import type { Health } from './types.js';

type Store = Health['stores'][number];

/** As the server last told; undefined as long as it has not. */
let known: readonly Store[] | undefined;

/** The task definitions of the server; none as long as that is not known. */
export const definitions = signal<readonly string[]>([]);

/** How the server and its stores are doing. */
export async function readHealth(signal: AbortSignal): Promise<Health> {
  const health = await getGlobal<Health>('health', {}, signal);
  known = health.stores;
  if (`${health.definitions}` !== `${definitions.value}`) definitions.value = health.definitions;
  return health;
}

/** What the store that is looked at can do: what it cannot is not asked for. */
export async function readCapabilities(signal: AbortSignal): Promise<Store['capabilities']> {
  const alias = storeAlias.value;
  const stores = known ?? (await readHealth(signal)).stores;
  const store = alias === null ? stores[0] : stores.find((each) => each.alias === alias);
  return store?.capabilities ?? { history: false, latestRuns: false };
}
