import type { Declaration, RunContext, TaskDefinition, TaskSettings } from '../index.js';
import { defineTask, every } from '../index.js';
import type { DeclaredTask } from './run-history.js';

/** What a handler is told to do. */
export interface Work {
  /** How long it takes. */
  readonly workMs: number;
  /** How many attempts at each occurrence fail. */
  readonly failures: number;
  /** Which edit of the payload this is. */
  readonly version: number;
}

/** The one kind of task that there is; whoever only schedules it has no handler. */
export function workTask(handler?: (run: RunContext<Work>) => Promise<void>): TaskDefinition<Work> {
  return defineTask<Work>('work', handler && { handler });
}

/** A task, and what is to become of it. */
export interface PlannedTask {
  readonly declaration: Declaration<Work>;
  readonly declared: DeclaredTask;
}

type Settings = Omit<TaskSettings, 'id' | 'retry' | 'delivery'> &
  Partial<Pick<DeclaredTask, 'maySkip' | 'isAtMostOnce' | 'failures' | 'attempts'>> &
  Partial<Work>;

function planned(id: string, occurrences: readonly number[], settings: Settings): PlannedTask {
  const { workMs = 0, failures = 0, attempts = 1, isAtMostOnce = false, ...rest } = settings;
  const { maySkip = false, ...options } = rest;
  const retry = { limit: attempts - 1, backoff: 'fixed', min: 1000, jitter: 0 } as const;
  return {
    declaration: {
      task: workTask(),
      payload: { workMs, failures, version: 0 },
      ...options,
      id,
      keepFinished: true,
      // A task whose workers all vanish is not to blame for it.
      maxDeliveries: 1000,
      ...(isAtMostOnce ? { delivery: 'atMostOnce' } : { retry }),
    },
    declared: { id, occurrences, maySkip, isAtMostOnce, failures, attempts },
  };
}

/** What the one-offs are, in turn. */
const mixture: readonly Settings[] = [
  { workMs: 0 },
  { workMs: 12_000 },
  { workMs: 40, failures: 2, attempts: 4 },
  { workMs: 3000, isAtMostOnce: true },
  { workMs: 20, failures: 9, attempts: 2 },
];

/** One-offs that fall due one after another, and schedules of each sort, which come to their ends. */
export function plannedTasks(now: number): PlannedTask[] {
  const oneOffs = Array.from({ length: 15 }, (_, index) => {
    const at = now + index * 4000;
    return planned(`one-${index}`, [at], { ...mixture[index % mixture.length], at });
  });
  const series = (id: string, everyMs: number, limit: number, settings: Settings) => {
    const first = now + 1000;
    const occurrences = Array.from({ length: limit }, (_, index) => first + index * everyMs);
    return planned(id, occurrences, {
      ...settings,
      trigger: every(everyMs, { start: first, limit }),
    });
  };
  return [
    ...oneOffs,
    series('often', 5000, 12, { maySkip: true }),
    series('failing', 15_000, 4, { failures: 1, attempts: 2, maySkip: true }),
    series('replaced', 10_000, 6, { workMs: 8000, overlap: 'replace', maySkip: true }),
    series('queued', 10_000, 6, { workMs: 4000, overlap: 'queueAll', catchUp: 'all' }),
    series('beside', 10_000, 5, { workMs: 15_000, overlap: 'allow', catchUp: 'all' }),
  ];
}
