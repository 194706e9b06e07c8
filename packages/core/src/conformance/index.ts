/**
 * The conformance kit: checks everything that a data store must do, as plain cases for any test runner.
 *
 * ```ts
 * for (const c of dataStoreConformance({ create })) test(c.name, c.run);
 * ```
 *
 * No case can be skipped. The kit reads a store's `capabilities` to learn what it can do beyond the core of the
 * contract. It tests what is claimed there, and that what is not claimed behaves as the contract says.
 *
 * @module
 */

import { bytesCases } from './bytes.js';
import { claimCases } from './claim.js';
import { concurrencyCases } from './concurrency.js';
import { faultCases } from './faults.js';
import { fencingCases } from './fencing.js';
import { toCases } from './harness.js';
import { historyCases } from './history.js';
import { insertCases } from './insert.js';
import { interleavingCases } from './interleavings.js';
import { itemOrderCases } from './item-order.js';
import { leaseCases } from './lease.js';
import { lifecycleCases } from './lifecycle.js';
import { listCases } from './list.js';
import { modelCases } from './model-cases.js';
import { networkCases } from './network-faults.js';
import { pauseCases } from './pause.js';
import { processCases } from './processes.js';
import { refusalCases } from './refusals.js';
import { removeCases } from './remove.js';
import { scaleCases } from './scale.js';
import { serverFaultCases } from './server-faults.js';
import { settleCases } from './settle.js';
import { transactionCases } from './transactions.js';
import type { ConformanceCase, ConformanceTarget } from './types.js';
import { updateCases } from './update.js';
import { watchCases } from './watch.js';
import { workerCases } from './worker.js';

const contract = [
  ...lifecycleCases,
  ...insertCases,
  ...claimCases,
  ...leaseCases,
  ...settleCases,
  ...fencingCases,
  ...itemOrderCases,
  ...updateCases,
  ...pauseCases,
  ...removeCases,
  ...listCases,
  ...historyCases,
  ...watchCases,
  ...transactionCases,
  ...bytesCases,
  ...refusalCases,
  ...modelCases,
];

export type { Violation } from './check-history.js';
export { checkHistory } from './check-history.js';
export { recordedOutcome } from './recorded-outcome.js';
export type {
  DeclaredTask,
  HistoryEvent,
  HistoryRun,
  RecordedOutcome,
} from './run-history.js';
export type {
  ConformanceAddress,
  ConformanceCase,
  ConformanceLevel,
  ConformancePlace,
  ConformanceProcess,
  ConformanceTarget,
  ConformanceTransaction,
  Guarantee,
} from './types.js';
export { guarantees, levels } from './types.js';

const concurrency = [...concurrencyCases, ...interleavingCases, ...processCases];

const faults = [...faultCases, ...networkCases, ...serverFaultCases];

/** All cases of the kit, for one store. Cases share nothing and may run at the same time. */
export function dataStoreConformance(target: ConformanceTarget): ConformanceCase[] {
  return [
    ...toCases(target, 'contract', contract),
    ...toCases(target, 'concurrency', concurrency),
    ...toCases(target, 'faults', faults),
    ...toCases(target, 'scale', scaleCases),
    ...toCases(target, 'worker', workerCases),
  ];
}
