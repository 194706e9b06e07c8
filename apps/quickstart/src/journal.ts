/** Turns what the scheduler does into lines of a journal, and keeps the board up to date by it. */

import type { Scheduler, SkipReason } from '@sched/core';
import type { Board } from './board.ts';
import { counted, length, moment } from './words.ts';

export type Kind =
  | 'start'
  | 'catch-up'
  | 'again'
  | 'output'
  | 'ok'
  | 'failed'
  | 'stopped'
  | 'skipped'
  | 'lost'
  | 'store';

/** Something that happened. */
export interface Entry {
  readonly at: Date;
  readonly kind: Kind;
  /** The task that it is about. */
  readonly id?: string;
  readonly text: string;
}

export interface Journal {
  /** Is given what the commands write, line by line. */
  output(id: string, line: string): void;
  /**
   * Begins to listen to a scheduler.
   *
   * @param stopped the tasks whose last run was stopped in the middle
   */
  follow(scheduler: Scheduler, stopped: ReadonlySet<string>): void;
}

const reasons: Readonly<Record<SkipReason, string>> = {
  missed: 'missed, nothing ran',
  overlap: 'overlap, it was still running',
  paused: 'the task was paused',
  superseded: 'a later one takes its place',
};

/** How many lines of output of one run are shown. */
const outputLimit = 10;

/** The core counts skipped occurrences no further than this. */
const countLimit = 1000;

/** @param write is given each entry */
export function createJournal(board: Board, write: (entry: Entry) => void): Journal {
  /** How many lines each run has written. */
  const outputs = new Map<string, number>();
  const note = (kind: Kind, id: string | undefined, text: string) =>
    write({ at: new Date(), kind, text, ...(id !== undefined && { id }) });

  return {
    output(id, line) {
      const row = board.rows.get(id);
      if (row?.running) row.running.lastLine = line;
      const count = (outputs.get(id) ?? 0) + 1;
      outputs.set(id, count);
      if (count <= outputLimit) note('output', id, line);
      else if (count === outputLimit + 1) note('output', id, '… and more, which is left out');
    },
    follow(scheduler, stopped) {
      followStarts(scheduler, board, stopped, (kind, id, text) => {
        outputs.set(id, 0);
        note(kind, id, text);
      });
      followEnds(scheduler, board, note);
      followTheRest(scheduler, board, note);
    },
  };
}

type Note = (kind: Kind, id: string | undefined, text: string) => void;

function followStarts(
  scheduler: Scheduler,
  board: Board,
  stopped: ReadonlySet<string>,
  note: (kind: Kind, id: string, text: string) => void,
): void {
  /** Why a task that is about to start is not run for the first time. */
  const again = new Map([...stopped].map((id) => [id, 'it was stopped in the middle']));

  scheduler.on('claimed', ({ id, lapsedOwner, token }) => {
    if (lapsedOwner === null) return;
    again.set(id, `${lapsedOwner} vanished with it, and its lease ran out (token ${token})`);
  });
  scheduler.on('started', ({ id, nominal, latenessMs }) => {
    const since = Date.now();
    const row = board.rows.get(id);
    if (row) row.running = { since, lastLine: '' };
    const time = moment(nominal);
    const late = length(latenessMs);
    const reason = again.get(id);
    again.delete(id);
    if (reason !== undefined) {
      board.again++;
      note('again', id, `the run of ${time}: ${reason}`);
    } else if (since - latenessMs < board.readyAt) {
      board.caughtUp++;
      note('catch-up', id, `${time} passed ${late} ago, while nothing ran`);
    } else {
      board.lateMs.push(latenessMs);
      note('start', id, `for ${time}, ${late} late`);
    }
  });
}

interface RunEnd {
  readonly id: string;
  readonly durationMs: number;
  readonly nextRunAt: Date | null;
}

function followEnds(scheduler: Scheduler, board: Board, note: Note): void {
  const end = (kind: 'ok' | 'failed' | 'stopped', event: RunEnd, details: string) => {
    const { id, durationMs, nextRunAt } = event;
    board.runs[kind]++;
    const row = board.rows.get(id);
    if (row) {
      row.running = null;
      row.last = { outcome: kind, durationMs };
      row.nextAt = nextRunAt;
    }
    note(kind, id, `after ${length(durationMs)}${details}`);
  };
  const next = (at: Date | null) => (at ? `, next ${moment(at)}` : '');

  scheduler.on('succeeded', (event) => end('ok', event, next(event.nextRunAt)));
  scheduler.on('failed', (event) =>
    end('failed', event, `: ${event.error.message}${next(event.nextRunAt)}`),
  );
  scheduler.on('interrupted', (event) =>
    end('stopped', event, `; the run of ${moment(event.nominal)} comes first next time`),
  );
  scheduler.on('lost', ({ id, token }) => {
    const row = board.rows.get(id);
    if (row) row.running = null;
    note('lost', id, `the lease with token ${token}; if the command was running, it is ended`);
  });
  scheduler.on('abandoned', ({ id, error }) => note('lost', id, error.message));
}

function followTheRest(scheduler: Scheduler, board: Board, note: Note): void {
  scheduler.on('skipped', ({ id, reason, from, to, count }) => {
    board.skipped[reason] = (board.skipped[reason] ?? 0) + count;
    const number = `${count === countLimit ? 'at least ' : ''}${counted(count, 'time')}`;
    const times = count === 1 ? moment(from) : `${moment(from)} to ${moment(to)}`;
    note('skipped', id, `${number}, ${times}: ${reasons[reason]}`);
  });
  scheduler.on('deferred', ({ id, until, error }) =>
    note('skipped', id, `until ${moment(until)}: ${error.message}`),
  );
  scheduler.on('storeError', ({ call, error, failures }) =>
    note(
      'store',
      undefined,
      `${call} failed, ${counted(failures, 'time')} in a row: ${error.message}`,
    ),
  );
  scheduler.on('storeRecovered', ({ downMs }) =>
    note('store', undefined, `is back after ${length(downMs)}`),
  );
  // A mistake of this program's own, which nobody would see otherwise.
  scheduler.on('listenerError', ({ error }) => {
    queueMicrotask(() => {
      throw error;
    });
  });
}
