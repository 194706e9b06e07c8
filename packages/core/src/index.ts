export type { LatencyHistogram, MinuteCounts, WorkerInfo } from './announcements.js';
export type { ScheduledTask } from './bulk.js';
export { checkMembers } from './check.js';
export type { Clock } from './clock.js';
export { copyTasks } from './copy/copy-tasks.js';
export type { CopyConflict, CopyOptions } from './copy/options.js';
export type {
  CopiedTasks,
  CopyCounts,
  CopyProgress,
  CopyResult,
  DifferingTask,
  LeftReason,
  LeftTask,
  RefusedTask,
} from './copy/report.js';
export type {
  ClaimedTask,
  ClaimRequest,
  ClaimResult,
  DataStore,
  DataStoreCapabilities,
  DataStoreOptions,
  HistoryEntry,
  LatestHistoryEntry,
  LatestHistoryRequest,
  LatestHistoryResult,
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
export type {
  Declaration,
  OnConflict,
  ScheduleOptions,
  TaskSettings,
} from './declaration.js';
export { importDriver } from './driver.js';
export type { CalendarDuration, Duration, Time } from './duration.js';
export type { TaskChanges } from './edit.js';
export { errorCodes, isSchedError, SchedError, type SchedErrorCode } from './errors.js';
export type { Listener, RunEvent, RunningTask, SchedulerEvents, TaskEvent } from './events.js';
export type { Headers } from './headers.js';
export type { LatestRuns, LatestRunsRequest } from './latest-runs.js';
export type { ListFilter, PageRequest } from './listing.js';
export type {
  ContextOf,
  Middleware,
  OutgoingTask,
  RunMiddleware,
  ScheduleCall,
} from './middleware.js';
export type { PayloadCodec } from './payload.js';
export type {
  CatchUpMode,
  CatchUpPolicy,
  Delivery,
  OverlapMode,
  OverlapPolicy,
  Policies,
  ResolvedPolicies,
  RetryPolicy,
} from './policies.js';
export type { RunError, RunOutcome, SkipReason } from './record.js';
export type { LogLine, RunReport } from './run-report.js';
export {
  createScheduler,
  type Health,
  type Scheduler,
  type SchedulerOptions,
  type StoreReport,
} from './scheduler.js';
export type { Selection } from './selection.js';
export type { ShutdownTaskOptions } from './shutdown-tasks.js';
export {
  defineTask,
  PermanentError,
  type RunContext,
  type SchemaIssue,
  type SchemaResult,
  type StandardSchema,
  type TaskDefinition,
  type TaskOptions,
} from './task.js';
export type {
  Declarations,
  SyncResult,
  TaskClient,
} from './task-client.js';
export type { LatestRun, RunInfo, TaskInfo, TaskState } from './task-info.js';
export type { Json, Trigger, TriggerContext, TriggerJson, TriggerKind } from './trigger.js';
export { allOf } from './triggers/all-of.js';
export { anyOf } from './triggers/any-of.js';
export { type AtKind, at } from './triggers/at.js';
export type { CombinationKind } from './triggers/combination.js';
export { type CronKind, type CronOptions, cron } from './triggers/cron.js';
export { cronMacros } from './triggers/cron-parse.js';
export { type EveryKind, type EveryOptions, every } from './triggers/every.js';
export {
  type ExceptKind,
  type ExceptOptions,
  type ExcludedRange,
  type Exclusion,
  except,
} from './triggers/except.js';
export type { When } from './when.js';
export type { WorkerOptions } from './worker/options.js';
