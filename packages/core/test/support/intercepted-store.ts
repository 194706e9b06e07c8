import type { DataStore, DataStoreCapabilities } from '../../src/index.js';

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
  'watch',
] as const;

export type StoreCall = (typeof storeCalls)[number];

/** Comes between a scheduler and its store. `proceed` makes the call, with other arguments if any are given. */
export type Interceptor = (
  call: StoreCall,
  proceed: (...args: readonly unknown[]) => Promise<unknown>,
  args: readonly unknown[],
) => Promise<unknown>;

/** A handle on a store of which every call goes through `intercept`. */
export function interceptStore(
  store: DataStore,
  intercept: Interceptor,
  capabilities: Partial<DataStoreCapabilities> = {},
): DataStore {
  const methods = storeCalls.map((call) => {
    const method = (...args: readonly unknown[]) =>
      intercept(
        call,
        (...others) => {
          const make = store[call] as (...given: unknown[]) => Promise<unknown>;
          return make.apply(store, [...(others.length > 0 ? others : args)]);
        },
        args,
      );
    return [call, method] as const;
  });
  return {
    name: store.name,
    capabilities: { ...store.capabilities, ...capabilities },
    withTransaction: (tx: unknown) => store.withTransaction(tx),
    ...Object.fromEntries(methods),
  } as unknown as DataStore;
}

/** A call that was made, and what came of it. */
export interface RecordedCall {
  readonly call: StoreCall;
  readonly args: readonly unknown[];
  readonly answer: unknown;
}

/** A handle on a store, and the calls that were made with it and answered. */
export function recordStore(
  store: DataStore,
  capabilities?: Partial<DataStoreCapabilities>,
): { readonly store: DataStore; readonly calls: RecordedCall[]; count(call: StoreCall): number } {
  const calls: RecordedCall[] = [];
  const recording = interceptStore(
    store,
    async (call, proceed, args) => {
      const answer = await proceed();
      calls.push({ call, args, answer });
      return answer;
    },
    capabilities,
  );
  return {
    store: recording,
    calls,
    count: (call) => calls.filter((made) => made.call === call).length,
  };
}
