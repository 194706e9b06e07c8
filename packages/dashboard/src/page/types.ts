/** What the API answers, as far as the page looks at it. */

import type { AuditEntry, Right, RunView, TaskView, TriggerView } from '@sched/http';

export type { AuditEntry, Right, RunView, TaskView };

export type TaskState = TaskView['state'];

/** A task that is shown by itself. */
export interface ShownTask extends TaskView {
  readonly occurrences: readonly string[] | null;
}

export interface TaskPage {
  readonly tasks: readonly TaskView[];
  readonly next: string | null;
}

/** The newest runs of all tasks. */
export interface LatestRuns {
  readonly runs: readonly (RunView & { readonly id: string; readonly name: string | null })[];
}

interface UpcomingRun {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  readonly at: string;
}

export interface Upcoming {
  readonly runs: readonly UpcomingRun[];
  readonly isComplete: boolean;
}

interface Counted<T> {
  readonly value: T;
  readonly count: number | null;
}

export interface Summary {
  readonly isComplete: boolean;
  readonly total: number | null;
  readonly states: readonly Counted<TaskState>[];
  readonly queues: readonly Counted<string>[];
  readonly groups: readonly Counted<string | null>[];
  readonly names: readonly Counted<string>[];
}

export interface Histogram {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
}

export interface MinuteCounts {
  readonly minute: string;
  readonly succeeded: number;
  readonly failed: number;
  readonly retried: number;
  readonly interrupted: number;
  readonly skipped: number;
}

export interface Worker {
  readonly owner: string;
  readonly host: string | null;
  readonly pid: number | null;
  readonly startedAt: string;
  readonly seenAt: string;
  readonly tasks: readonly string[];
  readonly queues: readonly string[];
  readonly concurrency: number;
  readonly running: number;
  readonly waiting: number;
  readonly settling: number;
  readonly minutes: readonly MinuteCounts[];
  readonly lateness: Histogram;
  readonly duration: Histogram;
}

export interface Failure {
  readonly key: string;
  readonly name: string;
  readonly error: { readonly name: string; readonly message: string; readonly code?: string };
  readonly count: number;
  readonly newest: string | null;
  readonly ids: readonly string[];
}

export interface Failures {
  readonly failures: readonly Failure[];
  readonly isComplete: boolean;
}

interface StoreHealth {
  readonly alias: string;
  readonly name: string;
  readonly capabilities: { readonly history: boolean; readonly latestRuns: boolean };
  readonly isUp: boolean;
  readonly latencyMs: number;
  readonly clockOffsetMs: number | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

export interface Health {
  readonly state: 'idle' | 'running' | 'stopping' | 'stopped';
  readonly owner: string;
  readonly runs: readonly {
    readonly id: string;
    readonly store: string;
    readonly startedAt: string;
  }[];
  readonly stores: readonly StoreHealth[];
}

interface Previewed {
  readonly trigger: TriggerView | null;
  readonly occurrences: readonly string[];
}

export interface TaskPreview {
  readonly current: {
    readonly trigger: TriggerView | null;
    readonly occurrences: readonly string[] | null;
  };
  readonly proposed: Previewed;
}

export type Action = 'pause' | 'resume' | 'run' | 'cancel' | 'retry' | 'remove';

export interface BulkAnswer {
  readonly dryRun: boolean;
  readonly matched: number;
  readonly isComplete: boolean;
  readonly changed: number;
  readonly failures: readonly {
    readonly id: string;
    readonly code: string;
    readonly message: string;
  }[];
  readonly next: string | null;
}

/** Which tasks are listed or changed. */
export interface Filter {
  readonly state?: TaskState;
  readonly name?: string;
  readonly queue?: string;
  readonly group?: string;
  readonly ungrouped?: boolean;
  readonly paused?: boolean;
  readonly idPrefix?: string;
  readonly failure?: string;
}
