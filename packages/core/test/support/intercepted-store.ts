import type { Interceptor, StoreCall } from '../../src/conformance/intercept.js';
import { interceptStore as intercepted } from '../../src/conformance/intercept.js';
import type { DataStore, DataStoreCapabilities } from '../../src/index.js';

export type { Interceptor, StoreCall };

/** A handle on a store of which every call goes through `intercept`, and which claims other capabilities if any are given. */
export function interceptStore(
  store: DataStore,
  intercept: Interceptor,
  capabilities: Partial<DataStoreCapabilities> = {},
): DataStore {
  return new Proxy(intercepted(store, intercept), {
    get(target, key) {
      const member: unknown = Reflect.get(target, key);
      return key === 'capabilities' ? { ...store.capabilities, ...capabilities } : member;
    },
  });
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
