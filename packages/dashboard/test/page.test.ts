import { describe, expect, test } from 'vitest';
import {
  clockChange,
  duration,
  isZone,
  moment,
  offsetMinutes,
  offsetText,
  relative,
  shortMoment,
} from '../src/page/format.js';
import {
  allRemembered,
  isGone,
  perMinute,
  quantile,
  remember,
  sumHistograms,
  totals,
} from '../src/page/histograms.js';
import type { RunView, TaskView, Worker } from '../src/page/types.js';
import { durationMs, latenessMs, policyWords } from '../src/page/words.js';

const berlin = 'Europe/Berlin';

describe('moments', () => {
  test('are shown by the clock of a zone', () => {
    const at = '2026-03-03T08:30:00.000Z';
    expect(moment(at, berlin)).toBe('Tue 3 Mar 2026, 09:30:00');
    expect(moment(at, 'Asia/Kathmandu')).toBe('Tue 3 Mar 2026, 14:15:00');
    expect(moment('2026-03-02T23:00:00Z', berlin)).toBe('Tue 3 Mar 2026, 00:00:00');
    const now = Date.parse('2026-03-03T20:00:00Z');
    expect(shortMoment(at, now, berlin)).toBe('09:30:00');
    expect(shortMoment(at, now + 86_400_000, berlin)).toBe('3 Mar 09:30:00');
    expect(shortMoment(at, now + 400 * 86_400_000, berlin)).toBe('3 Mar 2026 09:30:00');
  });

  test.for([
    ['2026-01-15T12:00:00Z', berlin, 60, 'UTC+1'],
    ['2026-07-15T12:00:00Z', berlin, 120, 'UTC+2'],
    ['2026-07-15T12:00:00Z', 'America/St_Johns', -150, 'UTC−2:30'],
    ['2026-07-15T12:00:00Z', 'Asia/Kathmandu', 345, 'UTC+5:45'],
    ['2026-07-15T12:00:00Z', 'UTC', 0, 'UTC'],
  ] as const)('at %s the clock of %s is ahead by %i minutes', ([at, zone, minutes, text]) => {
    expect(offsetMinutes(Date.parse(at), zone)).toBe(minutes);
    expect(offsetText(minutes)).toBe(text);
  });

  test('a clock change is found to the minute, and none where there is none', () => {
    const from = Date.parse('2026-03-01T00:00:00Z');
    expect(clockChange(from, Date.parse('2026-04-01T00:00:00Z'), berlin)).toEqual({
      at: Date.parse('2026-03-29T01:00:00Z'),
      ...{ before: 60, after: 120 },
    });
    expect(clockChange(from, Date.parse('2026-03-28T00:00:00Z'), berlin)).toBeUndefined();
    expect(clockChange(from, Date.parse('2026-04-01T00:00:00Z'), 'UTC')).toBeUndefined();
    const lordHowe = 'Australia/Lord_Howe';
    expect(clockChange(from, Date.parse('2026-04-20T00:00:00Z'), lordHowe)).toEqual({
      at: Date.parse('2026-04-04T15:00:00Z'),
      ...{ before: 660, after: 630 },
    });
  });

  test('a zone that the browser does not know is none', () => {
    expect([isZone(berlin), isZone('Mars/Olympus')]).toEqual([true, false]);
  });
});

test.for([
  [0, '0 ms'],
  [350.4, '350 ms'],
  [1000, '1 s'],
  [2440, '2.4 s'],
  [59_999, '59 s'],
  [60_000, '1 min'],
  [200_000, '3 min 20 s'],
  [3_599_700, '1 h'],
  [3_600_000, '1 h'],
  [7_500_000, '2 h 5 min'],
  [187_200_000, '2 d 4 h'],
] as const)('%i ms are %s', ([ms, text]) => {
  expect(duration(ms)).toBe(text);
});

test('how far away a moment is', () => {
  expect(relative(5000, 0)).toBe('in 5 s');
  expect(relative(0, 90_000)).toBe('1 min 30 s ago');
  expect(relative(0, 999)).toBe('now');
});

describe('policies in words', () => {
  const retry = {
    ...{ limit: 3, minMs: 1000, maxMs: 3_600_000, jitter: 0.2 },
    ...({ backoff: 'exponential', whenExhausted: 'continue' } as const),
  };
  const overlap = { mode: 'skip', maxRunning: null } as const;
  const catchUp = { mode: 'latest', windowMs: null, limit: null, graceMs: 60_000 } as const;
  const all: TaskView['policies'] = {
    ...{ retry, overlap, catchUp, timeoutMs: null, maxDeliveries: 5, keepFinished: false },
    delivery: 'atLeastOnce',
  };
  const words = (policies: Parameters<typeof policyWords>[0]) =>
    Object.fromEntries(policyWords(policies));

  test('say what is in force', () => {
    expect(words(all)).toEqual({
      Retries:
        'Up to 3 retries, the first after 1 s, then twice as long each time, up to 1 h, each up to 20 % sooner. After that a recurring task goes on with its next occurrence.',
      'Time limit': 'An attempt may run for as long as it takes.',
      Overlap: 'An occurrence that comes while the task still runs is skipped.',
      'Catching up': 'Of the occurrences that were missed, the latest runs.',
      Delivery: 'At least once: a run whose worker has vanished is run again.',
      'Lost workers': 'An occurrence that 5 workers in a row did not survive counts as failed.',
      'When finished':
        'The task is removed when it has no occurrence left. Its history stays for a while.',
    });
  });

  test('say nothing of what is not known', () => {
    expect(words({})).toEqual({});
    expect(words({ timeoutMs: 90_000 })).toEqual({
      'Time limit': 'An attempt is aborted after 1 min 30 s.',
    });
  });

  test('tell each choice apart', () => {
    expect(words({ retry: { ...retry, limit: 0, whenExhausted: 'pause' } }).Retries).toBe(
      'None: the first failure counts. After that a recurring task is paused.',
    );
    expect(words({ retry: { ...retry, limit: 1, backoff: 'fixed', jitter: 0 } }).Retries).toMatch(
      /^Up to 1 retry, 1 s apart\. /,
    );
    expect(words({ overlap: { mode: 'allow', maxRunning: 3 } }).Overlap).toMatch(/3 at a time/);
    expect(words({ overlap: { mode: 'allow', maxRunning: null } }).Overlap).toBe(
      'Occurrences run side by side, each as a task of its own.',
    );
    const overlaps = (['skip', 'queueOne', 'queueAll', 'allow', 'replace'] as const).map(
      (mode) => words({ overlap: { ...overlap, mode } }).Overlap,
    );
    expect(new Set(overlaps).size).toBe(5);
    expect(words({ catchUp: { ...catchUp, mode: 'none' } })['Catching up']).toMatch(/1 min late/);
    expect(
      words({ catchUp: { ...catchUp, mode: 'all', limit: 5, windowMs: 3_600_000 } })['Catching up'],
    ).toBe(
      'The latest 5 occurrences that were missed run, one after another. None is older than 1 h.',
    );
  });
});

describe('a run', () => {
  const run: RunView = {
    outcome: 'succeeded',
    nominal: '2026-03-03T08:00:00.000Z',
    startedAt: '2026-03-03T08:00:00.250Z',
    endedAt: '2026-03-03T08:00:01.250Z',
    attempt: 1,
  };

  test('was late and took so long', () => {
    expect([latenessMs(run), durationMs(run)]).toEqual([250, 1000]);
  });

  test('that never began was neither; and a retry is not late', () => {
    const { startedAt: _startedAt, ...skipped } = { ...run, outcome: 'skipped' as const };
    expect([latenessMs(skipped), durationMs(skipped)]).toEqual([undefined, undefined]);
    expect(latenessMs({ ...run, attempt: 2 })).toBeUndefined();
  });
});

describe('what workers say', () => {
  const none = { succeeded: 0, failed: 0, retried: 0, interrupted: 0, skipped: 0 };
  const now = Date.parse('2026-03-03T08:10:30Z');
  const worker: Worker = {
    ...{ owner: 'a', host: null, pid: null, tasks: [], queues: [], concurrency: 10 },
    ...{ startedAt: '2026-03-03T08:00:00.000Z', seenAt: '2026-03-03T08:10:25.000Z' },
    ...{ running: 0, waiting: 0, settling: 0 },
    minutes: [
      { ...none, minute: '2026-03-03T08:10:00.000Z', succeeded: 2 },
      { ...none, minute: '2026-03-03T08:08:00.000Z', failed: 1 },
    ],
    lateness: { bounds: [1, 10, 100], counts: [5, 3, 1, 1] },
    duration: { bounds: [1, 10, 100], counts: [0, 0, 0, 0] },
  };
  const other: Worker = {
    ...worker,
    owner: 'b',
    minutes: [{ ...none, minute: '2026-03-03T08:10:00.000Z', succeeded: 3, skipped: 1 }],
  };

  test('is added up by the minute, and kept after they have forgotten it', () => {
    remember('main', [worker, other], now);
    remember('archive', [worker], now);
    const later = now + 120_000;
    remember('main', [{ ...worker, minutes: [] }], later);
    const minutes = perMinute(allRemembered('main'), later, 5);
    expect(minutes.map(({ succeeded, failed, skipped }) => [succeeded, failed, skipped])).toEqual([
      [0, 1, 0],
      [0, 0, 0],
      [5, 0, 1],
      [0, 0, 0],
      [0, 0, 0],
    ]);
    expect(minutes.at(-1)?.at).toBe(Date.parse('2026-03-03T08:12:00Z'));
    expect(totals(minutes)).toEqual({ ...none, succeeded: 5, failed: 1, skipped: 1 });
    remember('main', [], now + 2 * 3_600_000);
    expect(allRemembered('main')).toEqual([]);
  });

  test('gives bounds that shares of the runs keep', () => {
    const sum = sumHistograms([worker.lateness, worker.lateness]);
    expect(sum?.counts).toEqual([10, 6, 2, 2]);
    expect([0.5, 0.8, 0.9, 0.95].map((share) => quantile(worker.lateness, share))).toEqual([
      1,
      10,
      100,
      Number.POSITIVE_INFINITY,
    ]);
    expect(quantile(worker.duration, 0.5)).toBeUndefined();
    expect(sumHistograms([])).toBeUndefined();
  });

  test('ends when they are gone', () => {
    expect(isGone(worker, now)).toBe(false);
    // One that has no news says so every minute.
    expect(isGone(worker, now + 70_000)).toBe(false);
    expect(isGone(worker, now + 100_000)).toBe(true);
  });
});
