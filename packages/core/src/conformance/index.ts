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

import { batchCases } from './batches.js';
import { bodyCases } from './bodies.js';
import { claimCases } from './claim.js';
import { clockCases } from './clock.js';
import { concurrencyCases } from './concurrency.js';
import { effectCases } from './effects.js';
import { extendCases } from './extend.js';
import { faultCases } from './faults.js';
import { fencingCases } from './fencing.js';
import { filterCases } from './filters.js';
import { toCases } from './harness.js';
import { historyCases } from './history.js';
import { historyLimitCases } from './history-limits.js';
import { idCases } from './ids.js';
import { insertCases } from './insert.js';
import { interleavingCases } from './interleavings.js';
import { itemOrderCases } from './item-order.js';
import { latestHistoryCases, latestHistoryRaceCases } from './latest-history.js';
import { lifecycleCases } from './lifecycle.js';
import { listCases } from './list.js';
import { listingCases } from './listing.js';
import { modelCases } from './model-cases.js';
import { momentCases } from './moments.js';
import { networkCases } from './network-faults.js';
import { pauseCases } from './pause.js';
import { processCases } from './processes.js';
import { queueCases } from './queues.js';
import { racingPairCases } from './racing-pairs.js';
import { refusalCases } from './refusals.js';
import { releaseCases } from './release.js';
import { removeCases } from './remove.js';
import { repetitionCases } from './repetition.js';
import type { ConformanceReport } from './report.js';
import type { ConformanceRecording, ConformanceRunOptions } from './run.js';
import { recordCases, runCases } from './run.js';
import { scaleCases } from './scale.js';
import { serverFaultCases } from './server-faults.js';
import { settleCases } from './settle.js';
import { snapshotCases } from './snapshots.js';
import { textMemberCases } from './text-members.js';
import { textCases } from './texts.js';
import { transactionCases } from './transactions.js';
import type { ConformanceCase, ConformanceTarget } from './types.js';
import { unstorableCases } from './unstorable.js';
import { updateCases } from './update.js';
import { wakingCases } from './waking.js';
import { watchCases } from './watch.js';
import { workerCases } from './worker.js';

const contract = [
  ...lifecycleCases,
  ...insertCases,
  ...effectCases,
  ...claimCases,
  ...queueCases,
  ...wakingCases,
  ...clockCases,
  ...momentCases,
  ...idCases,
  ...extendCases,
  ...releaseCases,
  ...settleCases,
  ...fencingCases,
  ...repetitionCases,
  ...itemOrderCases,
  ...batchCases,
  ...updateCases,
  ...pauseCases,
  ...removeCases,
  ...listCases,
  ...listingCases,
  ...filterCases,
  ...snapshotCases,
  ...historyCases,
  ...historyLimitCases,
  ...latestHistoryCases,
  ...watchCases,
  ...transactionCases,
  ...textCases,
  ...textMemberCases,
  ...bodyCases,
  ...refusalCases,
  ...unstorableCases,
  ...modelCases,
];

export type { Violation } from './check-history.js';
export { checkHistory } from './check-history.js';
export { recordedOutcome } from './recorded-outcome.js';
export type {
  ConformanceLevelReport,
  ConformanceReport,
  ConformanceResult,
  ConformanceVersions,
} from './report.js';
export { passes, verdict } from './report.js';
export { reportMarkdown } from './report-markdown.js';
export type { ConformanceRecording, ConformanceRunOptions } from './run.js';
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

const concurrency = [
  ...concurrencyCases,
  ...racingPairCases,
  ...latestHistoryRaceCases,
  ...interleavingCases,
  ...processCases,
];

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

/** All cases of the kit, for a test runner, with a report on what became of them. */
export function recordConformance(target: ConformanceTarget): ConformanceRecording {
  return recordCases(target, dataStoreConformance(target));
}

/**
 * Runs the kit without a test runner.
 *
 * @throws an error that says in one sentence what is wrong, when no place can be made or its store does not open
 */
export function runConformance(
  target: ConformanceTarget,
  options: ConformanceRunOptions = {},
): Promise<ConformanceReport> {
  return runCases(target, dataStoreConformance(target), options);
}
