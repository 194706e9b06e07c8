import { type DataStore, SchedError } from '../../src/index.js';
import type { TestClock } from '../../src/testing/index.js';
import { interceptStore, type StoreCall } from './intercepted-store.js';

/** How long a call that is slow takes: longer than anybody waits for it. */
export const slowMs = 60_000;

const revocable = Proxy.revocable({}, {});
revocable.revoke();
/** What can be thrown and is no error. */
const oddities: readonly unknown[] = [undefined, revocable.proxy];

/** What can go wrong with a call to a store. */
const faults = {
  'fails before it is applied': async () => {
    throw new SchedError('SCHED_STORE_UNAVAILABLE', 'not applied');
  },
  'loses its answer': async (apply) => {
    await apply();
    throw new SchedError('SCHED_STORE_UNAVAILABLE', 'applied, but who knows');
  },
  'hangs before it is applied': async (_, clock) => {
    await clock.sleep(Number.POSITIVE_INFINITY);
  },
  'hangs after it is applied': async (apply, clock) => {
    await apply();
    await clock.sleep(Number.POSITIVE_INFINITY);
  },
  'is answered late': async (apply, clock) => {
    const answer = await apply();
    await clock.sleep(slowMs);
    return answer;
  },
  'is applied late': async (apply, clock) => {
    await clock.sleep(slowMs);
    return apply();
  },
  'is applied late and fails': async (apply, clock) => {
    await clock.sleep(slowMs);
    await apply();
    throw new Error('too late to be heard');
  },
  'throws an error at once': () => {
    throw new TypeError('a bug in the adapter');
  },
  'throws nothing at once': () => {
    throw oddities[0];
  },
  'throws something that cannot even be looked at': () => {
    throw oddities[1];
  },
  'rejects with an error': async () => {
    throw new RangeError('another bug in the adapter');
  },
  'rejects with text': () => Promise.reject('text'),
  'answers with no promise': () => 'now' as unknown as Promise<unknown>,
} satisfies Record<string, Fault>;

type Fault = (apply: () => Promise<unknown>, clock: TestClock) => Promise<unknown>;
export type FaultName = keyof typeof faults;
export const faultNames = Object.keys(faults) as FaultName[];

/** A handle on a store of which those calls go wrong for which `choose` names a fault. */
export function faultyStore(
  store: DataStore,
  clock: TestClock,
  choose: (call: StoreCall) => FaultName | undefined,
): DataStore {
  // Not an async function: some faults are thrown at once.
  return interceptStore(store, (call, proceed) => {
    const fault = choose(call);
    return fault === undefined ? proceed() : faults[fault](() => proceed(), clock);
  });
}
