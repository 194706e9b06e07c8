import { describe, expect, test } from 'vitest';
import type {
  DeclaredTask,
  Guarantee,
  HistoryEvent,
  RecordedOutcome,
} from '../src/conformance/index.js';
import { checkHistory } from '../src/conformance/index.js';

/** What was to become of one task, and what happened. */
interface Story {
  readonly declared?: Partial<DeclaredTask>;
  readonly events?: readonly HistoryEvent[];
}

function judge({ declared, events = [] }: Story): string[] {
  const task = { id: 't', occurrences: [0], attempts: 1, failures: 0, ...declared };
  return checkHistory(events, [task]).map(
    ({ guarantee, id, sentence }) => `${guarantee} ${id}: ${sentence}`,
  );
}

type RunType = 'started' | 'returned' | 'threw' | 'acknowledged';

const run = (type: RunType, token: number, nominal = 0, attempt = 1): HistoryEvent => ({
  ...{ type, id: 't', token, nominal, attempt },
});

const startedAt = (token: number, at: number): HistoryEvent => ({
  ...{ type: 'started', id: 't', token, nominal: 0, attempt: 1, at },
});

const byChild = (type: RunType, token: number, nominal: number): HistoryEvent => ({
  ...{ type, id: 't', child: `t@${nominal}`, token, nominal, attempt: 1 },
});

const ran = (token: number, nominal = 0, attempt = 1): HistoryEvent[] => [
  run('started', token, nominal, attempt),
  run('returned', token, nominal, attempt),
];

const threw = (token: number, nominal = 0, attempt = 1): HistoryEvent[] => [
  run('started', token, nominal, attempt),
  run('threw', token, nominal, attempt),
];

const recorded = (
  outcome: RecordedOutcome['outcome'],
  token: number,
  more: Partial<RecordedOutcome> = {},
): HistoryEvent => ({
  ...{ type: 'recorded', id: 't', outcome, token, attempt: 1, nominal: 0 },
  startedAt: more.nominal ?? 0,
  ...more,
});

const skipped = (from: number, to: number, reason = 'missed'): HistoryEvent => ({
  ...{ type: 'recorded', id: 't', outcome: 'skipped', nominal: from, lastNominal: to, reason },
});

const lost = (token: number): HistoryEvent => ({
  ...{ type: 'recorded', id: 't', outcome: 'failed', nominal: 0, attempt: 1, token },
  code: 'SCHED_DELIVERY_LOST',
});

const left = (state: string, leasedTo: string | null = null): HistoryEvent => ({
  ...{ type: 'left', id: 't', state, leasedTo },
});

const claimed = (token: number, at: number, expiresAt: number): HistoryEvent => ({
  ...{ type: 'claimed', id: 't', token, at, expiresAt },
});

const claimedFor = (token: number, at: number, nominal: number, attempt = 1): HistoryEvent => ({
  ...{ type: 'claimed', id: 't', token, at, expiresAt: at + 100, nominal, attempt },
});

const freed = (token: number, at: number, until?: number): HistoryEvent => ({
  ...{ type: 'freed', id: 't', token, at },
  ...(until !== undefined && { until }),
});

const edited = (changes: Partial<Omit<DeclaredTask, 'id'>>): HistoryEvent => ({
  ...{ type: 'edited', id: 't' },
  ...changes,
});

/** A run from its claim to its recorded success. */
const held = (token: number, at: number, nominal: number): HistoryEvent[] => [
  claimedFor(token, at, nominal),
  ...ran(token, nominal),
  recorded('succeeded', token, { nominal, startedAt: at }),
  freed(token, at),
];

const declaredAnew = (...open: number[]): HistoryEvent => ({
  ...{ type: 'declared', id: 't', occurrences: [], open },
});

const child = (nominal: number): HistoryEvent[] => [
  { type: 'declared', id: `t@${nominal}`, occurrences: [], open: [nominal] },
  { type: 'spawned', id: 't', nominal, child: `t@${nominal}` },
];

const acknowledged = (
  outcome: RecordedOutcome['outcome'],
  token: number,
  attempt: number,
  at: number,
): HistoryEvent => ({
  ...{ type: 'acknowledged', id: 't', token, nominal: 0, attempt, outcome, at },
});

const removed: HistoryEvent = { type: 'removed', id: 't' };
const paused: HistoryEvent = { type: 'paused', id: 't' };
const ended: HistoryEvent = { type: 'ended', id: 't' };
const resumed = (at: number): HistoryEvent => ({ type: 'resumed', id: 't', at });

/** A schedule without an end. */
const endless = { occurrences: [], open: [0, 5, 10, 15] };

const failedOnce = recorded('failed', 1, { retryAt: 10 });
const succeededThen = recorded('succeeded', 2, { attempt: 2, startedAt: 10 });
const flaky = { failures: 1, attempts: 2 };

describe('nothing is said against', () => {
  const stories: Record<string, Story> = {
    'a task that ran, was recorded and removed': {
      events: [...ran(1), run('acknowledged', 1), recorded('succeeded', 1)],
    },
    'a task that is kept when it has ended': {
      events: [...ran(1), recorded('succeeded', 1), left('finished')],
    },
    'a run that was cut short and made again': {
      events: [run('started', 1), ...ran(2), recorded('succeeded', 2)],
    },
    'a run that ended well, and whose worker died before it could say so': {
      events: [...ran(1), ...ran(2), recorded('succeeded', 2)],
    },
    'a run that ended well under a lapsed lease, while another had begun': {
      events: [run('started', 1), run('started', 2), run('returned', 1), recorded('succeeded', 1)],
    },
    'a failure, and a success at the second attempt': {
      declared: flaky,
      events: [...threw(1), failedOnce, ...ran(2, 0, 2), succeededThen],
    },
    'a run that was interrupted and made again': {
      events: [
        run('started', 1),
        recorded('interrupted', 1, { retryAt: 5 }),
        ...ran(2),
        recorded('succeeded', 2, { startedAt: 5 }),
      ],
    },
    'a run that was superseded, where it may be': {
      declared: { maySkip: true, occurrences: [0, 5] },
      events: [
        run('started', 1),
        recorded('interrupted', 1, { reason: 'superseded' }),
        ...ran(2, 5),
        recorded('succeeded', 2, { nominal: 5 }),
      ],
    },
    'a delivery that was lost, where it may be': {
      declared: { isAtMostOnce: true },
      events: [run('started', 1), lost(2), left('failed')],
    },
    'a schedule that skipped what it missed': {
      declared: { occurrences: [0, 5, 10, 15], maySkip: true },
      events: [
        ...ran(1),
        recorded('succeeded', 1),
        skipped(5, 10),
        ...ran(2, 15),
        recorded('succeeded', 2, { nominal: 15, startedAt: 16 }),
      ],
    },
    'occurrences that were still to come, whether they came or not': {
      declared: { open: [5, 10] },
      events: [
        ...ran(1),
        recorded('succeeded', 1),
        ...ran(2, 5),
        recorded('succeeded', 2, { nominal: 5 }),
      ],
    },
    'occurrences that were given tasks of their own': {
      declared: { occurrences: [0, 5] },
      events: [
        byChild('started', 7, 0),
        byChild('started', 6, 5),
        byChild('returned', 6, 5),
        byChild('returned', 7, 0),
        recorded('succeeded', 6, { nominal: 5, child: 't@5' }),
        recorded('succeeded', 7, { child: 't@0' }),
      ],
    },
    'an occurrence that was given a task that is judged by itself': {
      events: [{ type: 'spawned', id: 't', nominal: 0 }],
    },
    'a store that could not be reached': {
      events: [
        { type: 'refused', owner: 'w', call: 'claim', code: 'SCHED_STORE_UNAVAILABLE' },
        { type: 'refused', owner: 'w', call: 'settle', code: 'SCHED_STORE_TIMEOUT' },
        ...ran(1),
        recorded('succeeded', 1),
      ],
    },
    'leases that follow one another, and a run under a live one': {
      events: [
        claimed(1, 0, 100),
        { type: 'extended', id: 't', token: 1, at: 50, expiresAt: 150 },
        claimed(2, 150, 250),
        { type: 'freed', id: 't', token: 2, at: 160 },
        claimed(3, 160, 260),
        startedAt(3, 259),
        run('returned', 3),
        recorded('succeeded', 3),
      ],
    },
    'a schedule whose occurrences are reached one by one, and are still to come at the end': {
      declared: endless,
      events: [
        ...held(1, 0, 0),
        ...held(2, 7, 5),
        { type: 'left', id: 't', state: 'scheduled', leasedTo: null, isDue: false, nominal: 10 },
      ],
    },
    'a schedule that was edited while it ran, and left what was to come to the edit': {
      declared: endless,
      events: [
        claimedFor(1, 0, 0),
        ...ran(1),
        edited({ open: [7, 9] }),
        recorded('succeeded', 1),
        freed(1, 0),
        ...held(2, 7, 7),
        ...held(3, 9, 9),
        ended,
      ],
    },
    'an edit between two attempts, after which they are counted on': {
      declared: flaky,
      events: [
        ...threw(1),
        failedOnce,
        edited({ occurrences: [0], failures: 0, payload: 'new' }),
        ...ran(2, 0, 2),
        succeededThen,
      ],
    },
    'a run that goes by what held when it was claimed': {
      declared: { payload: 'old', attempts: 1 },
      events: [
        claimedFor(1, 0, 0),
        edited({ payload: 'new', attempts: 2 }),
        { type: 'started', id: 't', token: 1, nominal: 0, attempt: 1, payload: 'old' },
        run('returned', 1),
        recorded('succeeded', 1),
      ],
    },
    'a task that may run at most once from an edit on, and had begun before': {
      events: [
        run('started', 1),
        edited({ isAtMostOnce: true }),
        ...ran(2),
        recorded('succeeded', 2),
      ],
    },
    'a task that was removed while it ran, created anew, and ran again': {
      events: [
        claimed(1, 0, 100),
        removed,
        startedAt(1, 50),
        declaredAnew(0),
        ...held(2, 60, 0),
        run('returned', 1),
        ended,
      ],
    },
    'a task that came to its end, and was created anew': {
      events: [...held(1, 0, 0), declaredAnew(3), ...held(2, 3, 3)],
    },
    'what was not run because of a pause, and what a policy may skip': {
      declared: { ...endless, maySkip: ['missed'] },
      events: [paused, resumed(7), skipped(0, 5, 'paused'), skipped(10, 10), ...held(1, 15, 15)],
    },
    'a task that is claimed again when its lease is over, whatever it has been put off to': {
      events: [
        claimedFor(1, 0, 0),
        edited({ occurrences: [500] }),
        claimedFor(2, 100, 500),
        removed,
      ],
    },
    'an occurrence that is late by its jitter, and one that was put off': {
      declared: { ...endless, runAt: (nominal) => nominal + 2 },
      events: [claimedFor(1, 2, 0), freed(1, 2, 9), ...held(2, 9, 0), ...held(3, 9, 5)],
    },
    'no more tasks of its own at once than there may be': {
      declared: { ...endless, maxRunning: 1 },
      events: [...child(0), { type: 'removed', id: 't@0' }, ...child(5)],
    },
    'what was given up before it began': {
      events: [
        removed,
        declaredAnew(0, 5),
        { ...lost(1), code: 'SCHED_CANCELLED' } as HistoryEvent,
        ...held(2, 5, 5),
      ],
    },
    'outcomes of every kind that were acknowledged': {
      declared: flaky,
      events: [
        ...threw(1),
        recorded('failed', 1, { retryAt: 10, at: 4 }),
        acknowledged('failed', 1, 1, 4),
        ...ran(2, 0, 2),
        recorded('succeeded', 2, { attempt: 2, startedAt: 10, at: 11 }),
        acknowledged('succeeded', 2, 2, 12),
      ],
    },
    'a run that returned too late, and was recorded after the one that took over was interrupted': {
      events: [
        run('started', 1),
        run('started', 2),
        run('returned', 1),
        run('threw', 2),
        recorded('interrupted', 2),
        recorded('succeeded', 1),
      ],
    },
  };
  test.each(Object.entries(stories))('%s', (_, story) => {
    expect(judge(story)).toEqual([]);
  });
});

describe('what is found out:', () => {
  const well = [...ran(1), run('acknowledged', 1), recorded('succeeded', 1)];
  const stories: Record<string, [Story, ...[Guarantee, RegExp][]]> = {
    'a task that never ran': [
      { events: [left('scheduled')] },
      ['G1', /is still scheduled$/],
      ['G1', /nothing says what became of/],
    ],
    'a task that is held for ever': [
      { events: [...well, left('finished', 'w')] },
      ['G1', /is still leased to w/],
    ],
    'an occurrence that was lost': [
      { declared: { occurrences: [0, 5] }, events: well },
      ['G1', /nothing says what became of .*\.005Z/],
    ],
    'two accepted completions': [
      { events: [...well, ...ran(2), recorded('succeeded', 2)] },
      ['G2', /began .* token 2 after a success was accepted/],
      ['G2', /ended 2 times .*succeeded,succeeded/],
    ],
    'a run after the completion was accepted': [
      { events: [...well, run('started', 2)] },
      ['G2', /token 2 after a success was accepted/],
    ],
    'an occurrence that was completed and skipped': [
      { declared: { maySkip: true }, events: [...well, skipped(0, 0)] },
      ['G2', /ended 2 times .*succeeded,skipped \(missed\)/],
    ],
    'an occurrence that was completed and spawned': [
      { events: [...well, { type: 'spawned', id: 't', nominal: 0 }] },
      ['G2', /ended 2 times .*succeeded,spawned/],
    ],
    'an acknowledged completion that is gone': [
      { events: [...ran(1), run('acknowledged', 1), ...ran(2), recorded('succeeded', 2)] },
      ['G2', /began .* token 2 after a success was accepted/],
      ['G1', /token 1 acknowledged, and it is not in the history/],
    ],
    'an at-most-once task that began twice': [
      {
        declared: { isAtMostOnce: true },
        events: [run('started', 1), ...ran(2), recorded('succeeded', 2)],
      },
      ['G3', /began twice for/],
    ],
    'a lost delivery where it may not be': [
      { events: [run('started', 1), lost(2)] },
      ['G3', /failed \(SCHED_DELIVERY_LOST\), and was to succeed/],
    ],
    'a superseded run where it may not be': [
      { events: [run('started', 1), recorded('interrupted', 1, { reason: 'superseded' })] },
      ['G3', /interrupted .* and was to succeed/],
    ],
    'a token that began twice': [
      { events: [run('started', 1), ...well] },
      ['G2', /began twice under token 1/],
    ],
    'a stale worker that began': [
      { events: [...ran(2), run('started', 1), recorded('succeeded', 2)] },
      ['G2', /began under token 1 after it had under 2/],
    ],
    'a completion that nobody made': [
      { events: [run('started', 1), recorded('succeeded', 1)] },
      ['G2', /succeeded under token 1, and no worker ended such a run/],
    ],
    'a failure that nobody saw': [
      { declared: flaky, events: [...ran(1), failedOnce, ...ran(2, 0, 2), succeededThen] },
      ['G2', /failed under token 1, and no worker failed in such a run/],
    ],
    'an interruption of nothing': [
      {
        events: [
          recorded('interrupted', 1, { retryAt: 5 }),
          ...ran(2),
          recorded('succeeded', 2, { startedAt: 5 }),
        ],
      },
      ['G2', /interrupted under token 1, and no worker began such a run/],
    ],
    'an attempt that was left out': [
      { declared: flaky, events: [...ran(2, 0, 2), succeededThen] },
      ['G3', /attempt 2 .* is number 1/],
    ],
    'an attempt too many': [
      { events: [...ran(1), run('started', 2, 0, 2), recorded('succeeded', 1)] },
      ['G3', /began attempt 2 of at most 1/],
    ],
    'attempts whose tokens fall': [
      {
        declared: flaky,
        events: [
          ...ran(1, 0, 2),
          ...threw(2),
          recorded('failed', 2, { retryAt: 10 }),
          recorded('succeeded', 1, { attempt: 2, startedAt: 10 }),
        ],
      },
      ['G2', /attempt 2 .* had token 1, which is no later/],
    ],
    'a failure that was not tried again': [
      { declared: flaky, events: [...threw(1), recorded('failed', 1)] },
      ['G3', /attempt 1 .* was to be followed by another/],
    ],
    'a failure that was tried again and was the last': [
      { declared: { failures: 1 }, events: [...threw(1), failedOnce] },
      ['G3', /attempt 1 .* was not to be followed by another/],
      ['G1', /nothing says what became of/],
    ],
    'a failure of its own making': [
      { events: [run('started', 1), recorded('failed', 1, { code: 'SCHED_TIMEOUT' })] },
      ['G3', /attempt 1 .* failed \(SCHED_TIMEOUT\), and was to succeed/],
    ],
    'a run before its time': [
      { events: [...ran(1), recorded('succeeded', 1, { startedAt: -1 })] },
      ['G4', /began early/],
    ],
    'a run that was seen to begin before its time': [
      {
        events: [startedAt(1, -1), run('returned', 1), recorded('succeeded', 1)],
      },
      ['G4', /began .* early/],
    ],
    'a retry before its time': [
      {
        declared: flaky,
        events: [
          ...threw(1),
          failedOnce,
          ...ran(2, 0, 2),
          recorded('succeeded', 2, { attempt: 2, startedAt: 9 }),
        ],
      },
      ['G4', /attempt 2 .* began early/],
    ],
    'a time that no trigger named': [
      { events: [...well, ...ran(2, 7), recorded('succeeded', 2, { nominal: 7 })] },
      ['G4', /began for .*\.007Z, which is not its time/],
      ['G4', /succeeded for .*\.007Z, which is not its time/],
    ],
    'an occurrence that was skipped and had to run': [
      { events: [skipped(0, 0)] },
      ['G5', /skipped .* \(missed\)/],
    ],
    'an occurrence that was skipped for no reason': [
      { declared: { maySkip: true }, events: [skipped(0, 0, '')] },
      ['G5', /skipped .* for no reason/],
    ],
    'a time that was skipped and is none': [
      { declared: { maySkip: true }, events: [...well, skipped(3, 3)] },
      ['G5', /skipped .*\.003Z, which is not its time/],
    ],
    'a task that nobody declared': [
      { events: [...well, { type: 'started', id: 'x', token: 2, nominal: 0, attempt: 1 }] },
      ['G1', /is started, and was never declared/],
    ],
    'a store that failed for another reason than its absence': [
      {
        events: [
          { type: 'refused', owner: 'w', call: 'claim', code: 'SCHED_STORE_CONFIG' },
          ...well,
        ],
      },
      ['G8', /was refused claim with SCHED_STORE_CONFIG/],
    ],
    'two owners at once': [
      { events: [claimed(1, 0, 100), claimed(2, 99, 199), ...well] },
      ['G2', /was claimed under token 2 while 1 was live/],
    ],
    'a token that was given out again': [
      { events: [claimed(1, 0, 100), claimed(1, 100, 200), ...well] },
      ['G2', /was claimed under token 1, and had a later one/],
    ],
    'a lease that was extended by nobody that held it': [
      {
        events: [
          claimed(1, 0, 100),
          claimed(2, 100, 200),
          { type: 'extended', id: 't', token: 1, at: 101, expiresAt: 201 },
          ...ran(1),
          recorded('succeeded', 1),
        ],
      },
      ['G2', /extended under token 1, which was not valid/],
    ],
    'a lease that was given up by nobody that held it': [
      {
        events: [
          claimed(1, 0, 100),
          claimed(2, 100, 200),
          { type: 'freed', id: 't', token: 1, at: 101 },
          ...ran(1),
          recorded('succeeded', 1),
        ],
      },
      ['G2', /given up under token 1, which was not valid/],
    ],
    'a run whose lease was over': [
      {
        events: [
          claimed(1, 0, 100),
          startedAt(1, 100),
          run('returned', 1),
          recorded('succeeded', 1),
        ],
      },
      ['G2', /began under token 1, which was not valid/],
    ],
    'an occurrence that a schedule passed over': [
      { declared: endless, events: [...held(1, 0, 0), ...held(2, 10, 10)] },
      ['G1', /nothing says what became of .*\.005Z/],
    ],
    'an occurrence that a schedule passed over, and nothing has run since': [
      {
        declared: endless,
        events: [...held(1, 0, 0), { ...left('scheduled'), nominal: 10 } as HistoryEvent],
      },
      ['G1', /nothing says what became of .*\.005Z/],
    ],
    'an occurrence that has no record when the next one is claimed, and has one later': [
      {
        declared: endless,
        events: [
          claimedFor(1, 0, 0),
          ...ran(1),
          freed(1, 0),
          claimedFor(2, 5, 5),
          recorded('succeeded', 1),
        ],
      },
      ['G1', /nothing says what became of .*\.000Z/],
    ],
    'a schedule that went back': [
      {
        declared: endless,
        events: [...held(1, 0, 0), ...held(2, 5, 5), run('started', 3)],
      },
      ['G2', /began .* token 3 after it had gone on from there/],
    ],
    'a schedule that ended, and had occurrences to come': [
      { declared: endless, events: [...held(1, 0, 0), ended] },
      ['G1', /has ended, and nothing says what became of .*\.005Z/],
    ],
    'an occurrence that an edit brought, and a run from before it moved on': [
      {
        declared: endless,
        events: [
          claimedFor(1, 0, 0),
          ...ran(1),
          edited({ occurrences: [7] }),
          recorded('succeeded', 1),
          freed(1, 0),
          claimedFor(2, 5, 5),
        ],
      },
      ['G4', /claimed for .*\.005Z, which is not its time/],
      ['G1', /nothing says what became of .*\.007Z/],
    ],
    'a run for what an edit has replaced': [
      {
        declared: endless,
        events: [edited({ occurrences: [7] }), ...held(1, 7, 7), run('started', 2, 10)],
      },
      ['G4', /began for .*\.010Z, which is not its time/],
    ],
    'a task that is due and nobody runs': [
      {
        declared: endless,
        events: [{ ...left('scheduled'), isDue: true } as HistoryEvent],
      },
      ['G1', /is still scheduled/],
    ],
    'a run with the payload of before an edit': [
      {
        declared: { payload: { version: 1 } },
        events: [
          edited({ payload: { version: 2 } }),
          {
            ...{ type: 'started', id: 't', token: 1, nominal: 0, attempt: 1 },
            payload: { version: 1 },
          },
          run('returned', 1),
          recorded('succeeded', 1),
        ],
      },
      ['G6', /began with the payload {"version":1}, and was to with {"version":2}/],
    ],
    'a run of another attempt than was claimed': [
      {
        declared: flaky,
        events: [claimedFor(1, 0, 0), run('started', 1, 0, 2), removed],
      },
      ['G3', /began attempt 2 for .*, not attempt 1 for/],
    ],
    'a run of another occurrence than was claimed': [
      { declared: endless, events: [claimedFor(1, 0, 0), run('started', 1, 5), removed] },
      ['G3', /began attempt 1 for .*\.005Z, not attempt 1 for .*\.000Z/],
      ['G1', /nothing says what became of .*\.000Z/],
    ],
    'a claim before its time': [
      { declared: endless, events: [claimedFor(1, -1, 0)] },
      ['G4', /claimed for .* early/],
    ],
    'a claim and a run before the jitter is over': [
      {
        declared: { ...endless, runAt: (nominal) => nominal + 2 },
        events: [claimedFor(1, 1, 0), startedAt(1, 1)],
      },
      ['G4', /claimed for .* early/],
      ['G4', /began .* early/],
    ],
    'a claim before it was put off to': [
      { declared: endless, events: [claimedFor(1, 0, 0), freed(1, 0, 50), claimedFor(2, 49, 0)] },
      ['G4', /claimed for .* early/],
    ],
    'a claim and a run before the next attempt was to be made': [
      {
        declared: { ...flaky, occurrences: [], open: [0] },
        events: [
          claimedFor(1, 0, 0),
          ...threw(1),
          failedOnce,
          freed(1, 0),
          claimedFor(2, 9, 0, 2),
          { type: 'started', id: 't', token: 2, nominal: 0, attempt: 2, at: 9 },
        ],
      },
      ['G4', /claimed for .* early/],
      ['G4', /began attempt 2 .* early/],
    ],
    'a claim of what is paused': [
      { declared: endless, events: [paused, claimed(1, 0, 100)] },
      ['G6', /was claimed while it was paused/],
    ],
    'a claim of what has come to its end': [
      { events: [...well, ended, claimed(2, 0, 100)] },
      ['G2', /was claimed, and had come to its end/],
    ],
    'a claim, an edit and a remainder of what was removed': [
      { events: [removed, claimed(1, 0, 100), edited({ payload: 1 }), left('finished')] },
      ['G6', /is claimed, and was removed/],
      ['G6', /is edited, and was removed/],
      ['G6', /is left, and was removed/],
    ],
    'an outcome under a lease that ended with the task': [
      { events: [claimed(1, 0, 100), removed, freed(1, 50)] },
      ['G2', /given up under token 1, which was not valid/],
    ],
    'a life that came to no end, and was followed by another': [
      { events: [declaredAnew(3), ...held(1, 3, 3)] },
      ['G1', /nothing says what became of .*\.000Z/],
    ],
    'two completions in one life': [
      { events: [removed, declaredAnew(0), ...held(1, 0, 0), ...held(2, 0, 0)] },
      ['G2', /began .* token 2 after it had gone on from there/],
      ['G2', /ended 2 times/],
    ],
    'an occurrence that was skipped for a reason that is none here': [
      { declared: { maySkip: ['missed'] }, events: [skipped(0, 0, 'overlap')] },
      ['G5', /skipped .* \(overlap\)/],
    ],
    'an occurrence that was skipped as paused, and came after the pause': [
      {
        declared: { ...endless, maySkip: ['missed'] },
        events: [resumed(7), skipped(0, 10, 'paused')],
      },
      ['G5', /skipped .* \(paused\)/],
    ],
    'an occurrence that was skipped before it had come': [
      {
        declared: { ...endless, maySkip: true },
        events: [{ ...skipped(0, 5), at: 4 } as HistoryEvent],
      },
      ['G5', /skipped .*\.005Z before it had come/],
    ],
    'more tasks of its own at once than there may be': [
      { declared: { ...endless, maxRunning: 1 }, events: [...child(0), ...child(5)] },
      ['G5', /was given 2 tasks at once, and was to have at most 1/],
    ],
    'a completion of a run that had not ended yet': [
      { events: [run('started', 1), recorded('succeeded', 1), run('returned', 1)] },
      ['G2', /succeeded under token 1, and no worker ended such a run/],
    ],
    'a failure that was acknowledged and is in no history': [
      { declared: { attempts: 2 }, events: [...well, acknowledged('failed', 1, 1, 5)] },
      ['G1', /token 1 acknowledged, and it is not in the history/],
    ],
    'an acknowledgement before there was anything to acknowledge': [
      {
        events: [
          ...ran(1),
          acknowledged('succeeded', 1, 1, 5),
          recorded('succeeded', 1, { at: 6 }),
        ],
      },
      ['G1', /token 1 acknowledged before it was recorded/],
    ],
    'a run that is recorded with two outcomes': [
      {
        events: [
          run('started', 1),
          run('returned', 1),
          recorded('interrupted', 1),
          ...well.slice(3),
        ],
      },
      ['G2', /attempt 1 .* had token 1, which is no later/],
    ],
  };
  test.each(Object.entries(stories))('%s', (_, [story, ...complaints]) => {
    const found = judge(story);
    expect(found).toEqual(
      complaints.map(([guarantee, { source }]) =>
        expect.stringMatching(new RegExp(`^${guarantee} [twx]: .*${source}`)),
      ),
    );
  });
});
