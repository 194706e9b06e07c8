import type { RunInfo, TaskInfo } from '@sched/core';
import { describe, expect, test } from 'vitest';
import type { Evidence } from '../src/campaign.js';
import type { JournalEntry, Note } from '../src/journal.js';
import { judge } from '../src/judge.js';
import type { Expectation } from '../src/tasks.js';

const task = {
  ...{ name: 'work', queue: 'default', group: null, isPaused: false, payload: {}, trigger: null },
  ...{ runAt: null, nominal: null, attempt: 1, lastRun: null, parent: null, error: null },
} as const;

/** What one task was to do, what its runs did, and what the store says of it. */
interface Story {
  expected?: Partial<Expectation>;
  notes?: readonly Note[];
  history?: readonly RunInfo[];
  state?: TaskInfo['state'] | 'removed';
  lease?: TaskInfo['lease'];
  problems?: readonly string[];
}

function judgeStory(story: Story): string[] {
  const { expected, notes = [], history = [], state, lease = null, problems = [] } = story;
  const expectation: Expectation = {
    ...{ id: 't', occurrences: [0], maySkip: false, isAtMostOnce: false, failures: 0, attempts: 1 },
    ...expected,
  };
  const evidence: Evidence = {
    expected: [expectation],
    journal: notes.map((note, at): JournalEntry => ({ ...note, worker: 'w', at })),
    tasks: state === 'removed' ? [] : [{ ...task, id: 't', state: state ?? 'finished', lease }],
    histories: new Map([['t', history]]),
    ...{ problems, killed: 0, repeated: 0 },
  };
  return judge(evidence);
}

const note = (kind: 'began' | 'ended' | 'recorded', token: number, nominal = 0, attempt = 1) => ({
  kind,
  run: { id: 't', token, nominal, attempt },
});

const ran = (token: number, nominal = 0, attempt = 1) => [
  note('began', token, nominal, attempt),
  note('ended', token, nominal, attempt),
];

const info = (
  outcome: RunInfo['outcome'],
  token: number,
  { nominal = 0, ...more }: Partial<Record<'attempt' | 'nominal' | 'startedAt', number>> = {},
): RunInfo => ({
  ...{ outcome, token, attempt: 1, ...more },
  ...{ nominal: new Date(nominal), startedAt: new Date(more.startedAt ?? nominal) },
  endedAt: new Date(nominal),
});

const error = (message: string, code?: string) => ({
  error: { name: 'Error', message, ...(code && { code }) },
});

const skipped = (from: number, to: number): RunInfo => ({
  ...{ outcome: 'skipped', reason: 'missed' },
  ...{ nominal: new Date(from), lastNominal: new Date(to), endedAt: new Date(to) },
});

const lost = (token: number): RunInfo => {
  const { startedAt: _startedAt, ...failed } = info('failed', token);
  return { ...failed, ...error('gone', 'SCHED_DELIVERY_LOST') };
};

const failedOnce: RunInfo = {
  ...{ ...info('failed', 1), ...error('as planned') },
  retryAt: new Date(10),
};
const succeededThen = info('succeeded', 2, { attempt: 2, startedAt: 10 });
const flaky = { failures: 1, attempts: 2 };

describe('nothing is said against', () => {
  const stories: Record<string, Story> = {
    'a task that ran, was recorded and removed': {
      notes: [...ran(1), note('recorded', 1)],
      history: [info('succeeded', 1)],
      state: 'removed',
    },
    'a run that was cut short and made again': {
      notes: [note('began', 1), ...ran(2)],
      history: [info('succeeded', 2)],
    },
    'a run that ended well, and whose worker died before it could say so': {
      notes: [...ran(1), ...ran(2)],
      history: [info('succeeded', 2)],
    },
    'a failure, and a success at the second attempt': {
      expected: flaky,
      notes: [note('began', 1), ...ran(2, 0, 2)],
      history: [failedOnce, succeededThen],
    },
    'a delivery that was lost, where it may be': {
      expected: { isAtMostOnce: true },
      notes: [note('began', 1)],
      history: [lost(2)],
      state: 'failed',
    },
    'a schedule that skipped what it missed': {
      expected: { occurrences: [0, 5, 10, 15], maySkip: true },
      notes: [...ran(1, 0), ...ran(2, 15)],
      history: [
        info('succeeded', 1),
        skipped(5, 10),
        info('succeeded', 2, { nominal: 15, startedAt: 16 }),
      ],
    },
    'a store that could not be reached': {
      notes: [{ kind: 'storeError', call: 'claim', code: 'SCHED_STORE_UNAVAILABLE' }, ...ran(1)],
      history: [info('succeeded', 1)],
    },
  };
  test.each(Object.entries(stories))('%s', (_, story) => {
    expect(judgeStory(story)).toEqual([]);
  });
});

describe('what is found out:', () => {
  const stories: Record<string, [Story, ...RegExp[]]> = {
    'a task that was lost': [{ state: 'removed' }, /nothing says what became of/],
    'a task that never ran': [{ state: 'scheduled' }, /nothing says/, /is still scheduled/],
    'a worker that failed, and nothing that follows from it': [
      { state: 'scheduled', problems: ['w ended with 1'] },
      /w ended with 1/,
    ],
    'a task that is held for ever': [
      {
        notes: ran(1),
        history: [info('succeeded', 1)],
        lease: { owner: 'w', expiresAt: new Date(0) },
      },
      /is still leased to w/,
    ],
    'an occurrence that was lost': [
      { expected: { occurrences: [0, 5] }, notes: ran(1), history: [info('succeeded', 1)] },
      /nothing says what became of .*\.005Z/,
    ],
    'two accepted completions': [
      { notes: [...ran(1), ...ran(2)], history: [info('succeeded', 1), info('succeeded', 2)] },
      /began after a success was accepted/,
      /is number 2/,
      /ended 2 times .*succeeded,succeeded/,
    ],
    'a run after the completion was accepted': [
      { notes: [...ran(1), note('began', 2)], history: [info('succeeded', 1)] },
      /under token 2 began after a success was accepted/,
    ],
    'an occurrence that was completed and skipped': [
      {
        expected: { maySkip: true },
        notes: ran(1),
        history: [info('succeeded', 1), skipped(0, 0)],
      },
      /ended 2 times .*succeeded,skipped \(missed\)/,
    ],
    'an acknowledged completion that is gone': [
      {
        notes: [...ran(1), note('recorded', 1), ...ran(2)],
        history: [info('succeeded', 2)],
      },
      /token 1 was acknowledged, and is not in the history/,
    ],
    'an at-most-once task that began twice': [
      {
        expected: { isAtMostOnce: true },
        notes: [note('began', 1), ...ran(2)],
        history: [info('succeeded', 2)],
      },
      /began twice for/,
    ],
    'a lost delivery where it may not be': [
      { notes: [note('began', 1)], history: [lost(2)], state: 'failed' },
      /failed: gone/,
    ],
    'a token that came again': [
      { notes: [note('began', 1), ...ran(1)], history: [info('succeeded', 1)] },
      /began under token 1 after it had begun under 1/,
    ],
    'a stale worker that began': [
      { notes: [...ran(2), note('began', 1)], history: [info('succeeded', 2)] },
      /began under token 1 after it had begun under 2/,
    ],
    'a completion that nobody made': [
      { notes: [note('began', 1)], history: [info('succeeded', 1)] },
      /succeeded under token 1, and no worker ended such a run/,
    ],
    'an attempt that was left out': [
      { expected: flaky, notes: ran(2, 0, 2), history: [succeededThen] },
      /attempt 2 .* is number 1/,
    ],
    'a failure that was not tried again': [
      {
        expected: flaky,
        notes: [note('began', 1)],
        history: [{ ...info('failed', 1), ...error('as planned') }],
        state: 'failed',
      },
      /attempt 1 .* was to be followed by another/,
    ],
    'a failure of its own making': [
      {
        notes: [note('began', 1)],
        history: [{ ...info('failed', 1), ...error('oh') }],
        state: 'failed',
      },
      /attempt 1 .* failed: oh/,
    ],
    'a run before its time': [
      { notes: ran(1), history: [info('succeeded', 1, { startedAt: -1 })] },
      /began early/,
    ],
    'a retry before its time': [
      {
        expected: flaky,
        notes: [note('began', 1), ...ran(2, 0, 2)],
        history: [failedOnce, info('succeeded', 2, { attempt: 2, startedAt: 9 })],
      },
      /attempt 2 .* began early/,
    ],
    'a time that no trigger named': [
      {
        notes: [...ran(1), ...ran(2, 7)],
        history: [info('succeeded', 1), info('succeeded', 2, { nominal: 7 })],
      },
      /\.007Z, which is not its time/,
    ],
    'an occurrence that was skipped and had to run': [
      { history: [skipped(0, 0)] },
      /skipped .* \(missed\)/,
    ],
    'a task that nobody scheduled': [
      {
        notes: [...ran(1), { kind: 'began', run: { id: 'x', token: 2, nominal: 0, attempt: 1 } }],
        history: [info('succeeded', 1)],
      },
      /x: ran, and was never scheduled/,
    ],
    'a store that failed for another reason than its absence': [
      {
        notes: [{ kind: 'storeError', call: 'claim', code: 'SCHED_STORE_CONFIG' }, ...ran(1)],
        history: [info('succeeded', 1)],
      },
      /w: claim failed with SCHED_STORE_CONFIG/,
    ],
  };
  test.each(Object.entries(stories))('%s', (_, [story, ...complaints]) => {
    const found = judgeStory(story);
    expect(found).toEqual(complaints.map((pattern) => expect.stringMatching(pattern)));
  });
});
