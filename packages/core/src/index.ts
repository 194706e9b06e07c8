export type {
  ClaimedTask,
  ClaimRequest,
  ClaimResult,
  DataStore,
  DataStoreCapabilities,
  DataStoreOptions,
  HistoryEntry,
  Lease,
  LeaseRef,
  ListRequest,
  ListResult,
  NewTaskRecord,
  Release,
  Settlement,
  TaskFilter,
  TaskRecord,
  TaskSelector,
  TaskStatus,
  WakeUp,
} from './data-store.js';
export type { SchedErrorCode } from './errors.js';
export { errorCodes, isSchedError, SchedError } from './errors.js';
export type { Json, Trigger, TriggerContext, TriggerJson, TriggerKind } from './trigger.js';
