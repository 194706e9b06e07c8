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
      ['G2', /ended 2 times .*spawned,succeeded/],
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
