import type { DataStore } from '../data-store.js';

/** Every call of the contract that goes to the database. */
const storeCalls = [
  'open',
  'close',
  'now',
  'insert',
  'get',
  'update',
  'list',
  'count',
  'remove',
  'setPaused',
  'claim',
  'extend',
  'settle',
  'release',
  'history',
  'latestHistory',
  'watch',
] as const;

export type StoreCall = (typeof storeCalls)[number];

/** Comes between a caller and a store. `proceed` makes the call, with other arguments if any are given. */
export type Interceptor = (
  call: StoreCall,
  proceed: (...others: readonly unknown[]) => Promise<unknown>,
  args: readonly unknown[],
) => Promise<unknown>;

/** The same store, of which every call goes through `intercept`; also of one in a transaction. */
export function interceptStore(store: DataStore, intercept: Interceptor): DataStore {
  const calls = new Set<unknown>(storeCalls);
  return new Proxy(store, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key, target);
      if (typeof member !== 'function') return member;
      if (key === 'withTransaction') {
        return (tx: unknown) => interceptStore(target.withTransaction(tx), intercept);
      }
      if (!calls.has(key)) return member.bind(target);
      return (...args: unknown[]) =>
        intercept(
          key as StoreCall,
          (...others) => Reflect.apply(member, target, others.length > 0 ? others : args),
          args,
        );
    },
  });
}
