/** What there is to show at a moment. */

import type { SkipReason, TaskInfo } from '@sched/core';

/** A task, as a line of the view. */
export interface Row {
  readonly id: string;
  readonly schedule: string;
  readonly command: string;
  nextAt: Date | null;
  /** The run in progress here. */
  running: { readonly since: number; lastLine: string } | null;
  /** The other process that is running it. */
  elsewhere: string | null;
  last: { readonly outcome: 'ok' | 'failed' | 'stopped'; readonly durationMs: number } | null;
}

export interface Board {
  /** By the id of the task, in the order of the file. */
  readonly rows: ReadonlyMap<string, Row>;
  /** When this process began to run tasks, in epoch milliseconds. */
  readyAt: number;
  readonly runs: { ok: number; failed: number; stopped: number };
  /** Runs of occurrences that were begun before and not ended. */
  again: number;
  /** Runs of occurrences that fell due before this process was there. */
  caughtUp: number;
  readonly skipped: Partial<Record<SkipReason, number>>;
  /** By how many milliseconds each run that fell due while this process was there began late. */
  readonly lateMs: number[];
}

export function createBoard(rows: Iterable<Pick<Row, 'id' | 'schedule' | 'command'>>): Board {
  const fresh = { nextAt: null, running: null, elsewhere: null, last: null };
  return {
    rows: new Map(
      [...rows].map(({ id, schedule, command }) => [id, { id, schedule, command, ...fresh }]),
    ),
    readyAt: Number.POSITIVE_INFINITY,
    runs: { ok: 0, failed: 0, stopped: 0 },
    again: 0,
    caughtUp: 0,
    skipped: {},
    lateMs: [],
  };
}

/** Takes over what the store says of the tasks: other processes may work on them as well. */
export function refresh(board: Board, tasks: Iterable<TaskInfo>, owner: string): void {
  for (const { id, runAt, state, lease } of tasks) {
    const row = board.rows.get(id);
    if (!row) continue;
    row.nextAt = runAt;
    row.elsewhere = state === 'running' && lease?.owner !== owner ? (lease?.owner ?? null) : null;
  }
}

/** The value that the given share of the values does not exceed; undefined when there are none. */
export function quantile(values: readonly number[], share: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}
