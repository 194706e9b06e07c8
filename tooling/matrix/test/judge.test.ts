import type { RunInfo, TaskInfo } from '@sched/core';
import { expect, test } from 'vitest';
import { type Evidence, historyLimit } from '../src/campaign.js';
import type { JournalEntry, Note } from '../src/journal.js';
import { judge } from '../src/judge.js';

const at = new Date(0);

/** What one task was to do, what its runs did, and what the store says of it. */
function judgeStory(
  notes: readonly Note[],
  history: readonly RunInfo[],
  more: Partial<Evidence> = {},
): string[] {
  return judge({
    expected: [
      ...[
        {
          id: 't',
          occurrences: [0],
          maySkip: false,
          isAtMostOnce: false,
          failures: 0,
          attempts: 1,
        },
      ],
    ],
    journal: notes.map((note, index): JournalEntry => ({ ...note, worker: 'w', at: index })),
    tasks: [],
    histories: new Map([['t', history]]),
    ...{ problems: [], killed: 0, repeated: 0 },
    ...more,
  });
}

const notesOf = (id: string, ...kinds: Exclude<Note['kind'], 'storeError'>[]) =>
  kinds.map((kind): Note => ({ kind, run: { id, token: 1, nominal: 0, attempt: 1 } }));

const success: RunInfo = {
  ...{ outcome: 'succeeded', token: 1, attempt: 1, nominal: at, startedAt: at, endedAt: at },
};

const task: TaskInfo = {
  ...{ id: 't', name: 'work', queue: 'default', group: null, isPaused: false, payload: {} },
  ...{ trigger: null, runAt: null, nominal: null, attempt: 1, lastRun: null, parent: null },
  ...{ error: null, state: 'finished', lease: null, declaredAt: null, policies: {} },
  ...{ headers: {}, report: null },
};

test('nothing is said against a task that ran, was recorded and is kept', () => {
  const notes = notesOf('t', 'began', 'ended', 'recorded');
  expect(judgeStory(notes, [success], { tasks: [task] })).toEqual([]);
});

test('nothing is said against an occurrence that was given a task of its own', () => {
  const notes = notesOf('t@0', 'began', 'ended', 'recorded');
  expect(judgeStory(notes, [{ ...success, childId: 't@0' }])).toEqual([]);
});

test('what workers wrote down is held against the history, and the other way round', () => {
  expect(judgeStory(notesOf('t', 'began'), [success])).toEqual([
    expect.stringContaining('no worker ended such a run'),
  ]);
  expect(judgeStory(notesOf('t', 'began', 'failed'), [success])).toEqual([
    expect.stringContaining('no worker ended such a run'),
  ]);
  expect(judgeStory(notesOf('t', 'began', 'ended', 'recorded'), [])).toEqual([
    expect.stringContaining('acknowledged, and it is not in the history'),
    expect.stringContaining('nothing says what became of'),
  ]);
});

test('what is still there at the end is held against the store', () => {
  const lease = { owner: 'w', expiresAt: at };
  const tasks = [{ ...task, state: 'scheduled' as const, lease }];
  expect(judgeStory(notesOf('t', 'began', 'ended'), [success], { tasks })).toEqual([
    't: is still scheduled',
    't: is still leased to w',
  ]);
});

test('skips come with their last occurrence, failures with their code', () => {
  const skipped: RunInfo = {
    ...{ outcome: 'skipped', reason: 'missed', nominal: at, lastNominal: at, endedAt: at },
  };
  expect(judgeStory([], [skipped])).toEqual([expect.stringContaining('skipped 1970')]);
  const error = { name: 'Error', message: 'gone', code: 'SCHED_DELIVERY_LOST' };
  const { startedAt: _startedAt, ...failed } = { ...success, outcome: 'failed' as const, error };
  expect(judgeStory(notesOf('t', 'began'), [failed])).toEqual([
    expect.stringContaining('failed (SCHED_DELIVERY_LOST), and was to succeed'),
  ]);
});

test('a store may be out of reach, and fail for no other reason', () => {
  const refused = (code: string): Note => ({ kind: 'storeError', call: 'claim', code });
  const notes = notesOf('t', 'began', 'ended');
  expect(judgeStory([refused('SCHED_STORE_UNAVAILABLE'), ...notes], [success])).toEqual([]);
  expect(judgeStory([refused('SCHED_STORE_CONFIG'), ...notes], [success])).toEqual([
    'w: was refused claim with SCHED_STORE_CONFIG',
  ]);
});

test('a history that may have been cut says nothing', () => {
  const retried = { ...success, outcome: 'interrupted' as const, retryAt: at };
  const history = Array.from({ length: historyLimit }, () => retried);
  expect(judgeStory(notesOf('t', 'began', 'ended'), history)).toContain(
    't: has a history that may not be whole',
  );
});

test('of a worker that failed nothing else is said', () => {
  expect(judgeStory([], [], { problems: ['w ended with 1'] })).toEqual(['w ended with 1']);
});
