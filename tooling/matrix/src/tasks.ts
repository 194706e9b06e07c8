import type { Declaration, RunContext, TaskDefinition, TaskSettings } from '@sched/core';
import { defineTask, every } from '@sched/core';
import type { DeclaredTask } from '@sched/core/conformance';

export interface Payload {
  /** How long the handler takes. */
  readonly workMs: number;
  /** How many attempts of each occurrence fail. */
  readonly failures: number;
}

/** The one kind of task that there is; in the process that schedules it has no handler. */
export function workTask(
  handler?: (run: RunContext<Payload>) => Promise<void>,
): TaskDefinition<Payload> {
  return defineTask<Payload>('work', handler && { handler });
}

/** A task, and what is to come of it. */
export interface PlannedTask {
  readonly declaration: Declaration<Payload>;
  readonly expected: Expectation;
}

export type Expectation = Required<
  Pick<DeclaredTask, 'id' | 'occurrences' | 'maySkip' | 'isAtMostOnce' | 'failures' | 'attempts'>
>;

type Settings = Omit<TaskSettings, 'id' | 'retry' | 'delivery'> &
  Partial<Expectation> &
  Partial<Payload>;

function planned(id: string, occurrences: readonly number[], settings: Settings): PlannedTask {
  const { workMs = 0, failures = 0, attempts = 1, ...rest } = settings;
  const { isAtMostOnce = false, maySkip = false, ...options } = rest;
  const retry = { limit: attempts - 1, backoff: 'fixed', min: 100 } as const;
  return {
    declaration: {
      task: workTask(),
      payload: { workMs, failures },
      ...options,
      id,
      // Tasks that are held by many workers that are killed are not to blame for it.
      maxDeliveries: 1000,
      ...(isAtMostOnce ? { delivery: 'atMostOnce' } : { retry }),
    },
    expected: { id, occurrences, maySkip, isAtMostOnce, failures, attempts },
  };
}

/** What the one-offs of a wave are, in turn. */
const mixture: readonly Settings[] = [
  { workMs: 5 },
  { workMs: 1200 },
  { workMs: 40, failures: 2, attempts: 4 },
  { workMs: 300, isAtMostOnce: true },
  { workMs: 0 },
  { workMs: 500 },
  { workMs: 20, failures: 9, attempts: 2 },
  { workMs: 20, isAtMostOnce: true },
];

/** One-offs that fall due one after another. */
export function oneOffs(
  wave: string,
  count: number,
  { from, overMs, keepFinished }: { from: number; overMs: number; keepFinished: boolean },
): PlannedTask[] {
  return Array.from({ length: count }, (_, index) => {
    const at = from + Math.floor((index / count) * overMs);
    const settings = mixture[index % mixture.length];
    return planned(`${wave}-${index}`, [at], { ...settings, at, keepFinished });
  });
}

/** Schedules of each sort, which come to their ends. */
export function series(start: number): PlannedTask[] {
  const recurring = (id: string, everyMs: number, limit: number, settings: Settings) => {
    const occurrences = Array.from({ length: limit }, (_, index) => start + index * everyMs);
    const trigger = every(everyMs, { start, limit });
    return planned(id, occurrences, { ...settings, trigger, keepFinished: true });
  };
  return [
    recurring('often', 100, 60, { maySkip: true }),
    recurring('long', 500, 12, { workMs: 700, maySkip: true }),
    recurring('replaced', 400, 15, { workMs: 300, overlap: 'replace', maySkip: true }),
    recurring('failing', 600, 10, { failures: 1, attempts: 2, maySkip: true }),
    recurring('once', 200, 30, { workMs: 50, isAtMostOnce: true, maySkip: true }),
    recurring('queued', 400, 15, { workMs: 200, overlap: 'queueAll', catchUp: 'all' }),
    recurring('beside', 400, 15, { workMs: 900, overlap: 'allow', catchUp: 'all' }),
  ];
}
