import { describe, expect, test } from 'vitest';
import { at, cron, every, type Policies } from '../src/index.js';
import { counted } from './support/counted.js';
import { declared } from './support/occurrences.js';
import { minuteMs, minutes, runTime, world } from './support/world.js';

// The moments in these tests are minutes.

describe('catch-up', () => {
  const past: [what: string, catchUp: Policies['catchUp'], story: string[]][] = [
    ['none: what is on time runs', 'none', ['skipped 1-9 missed (9)', 'succeeded 10']],
    ['none, with a short grace', { mode: 'none', grace: '10s' }, ['skipped 1-10 missed (10)']],
    [
      'none, with a long grace',
      { mode: 'none', grace: '3m' },
      ['skipped 1-7 missed (7)', 'succeeded 8', 'succeeded 9', 'succeeded 10'],
    ],
    [
      'none, with a window shorter than the grace',
      { mode: 'none', grace: '3m', window: '1m' },
      ['skipped 1-9 missed (9)', 'succeeded 10'],
    ],
    ['latest', 'latest', ['skipped 1-9 missed (9)', 'succeeded 10']],
    [
      'latest, within the window',
      { mode: 'latest', window: '30s' },
      ['skipped 1-9 missed (9)', 'succeeded 10'],
    ],
    [
      'latest, older than the window',
      { mode: 'latest', window: '29s' },
      ['skipped 1-10 missed (10)'],
    ],
    ['all', 'all', Array.from({ length: 10 }, (_, i) => `succeeded ${i + 1}`)],
    [
      'all, within a window',
      { mode: 'all', window: '3m' },
      ['skipped 1-7 missed (7)', 'succeeded 8', 'succeeded 9', 'succeeded 10'],
    ],
    [
      'all, up to a limit',
      { mode: 'all', limit: 2 },
      ['skipped 1-8 missed (8)', 'succeeded 9', 'succeeded 10'],
    ],
    [
      'all, up to a limit that the window does not reach',
      { mode: 'all', limit: 3, window: '2m' },
      ['skipped 1-8 missed (8)', 'succeeded 9', 'succeeded 10'],
    ],
    [
      'all, up to a limit that is not reached',
      { mode: 'all', limit: 10 },
      Array.from({ length: 10 }, (_, i) => `succeeded ${i + 1}`),
    ],
    ['all, older than the window', { mode: 'all', window: '29s' }, ['skipped 1-10 missed (10)']],
  ];

  test.each(past)('after downtime up to 10.5: %s', (_, catchUp, story) => {
    const it = world({ catchUp });
    it.now = minutes(10.5);
    it.drain();
    expect(it.story).toEqual(story);
    expect(it.record).toMatchObject({ runAt: minutes(11), deliveries: 0, lease: null });
    expect(it.body).toMatchObject({ nominal: minutes(11), attempt: 1 });
    expect(it.body).not.toHaveProperty('backlogUntil');
    expect(it.body).not.toHaveProperty('begunAt');
  });

  test.each<[catchUp: Policies['catchUp'], lateMs: number, story: string[]]>([
    [{ mode: 'none', grace: '10s' }, 10_000, ['succeeded 1']],
    [{ mode: 'none', grace: '10s' }, 10_001, ['skipped 1 missed (1)']],
    [{ mode: 'latest', window: '10s' }, 10_000, ['succeeded 1']],
    [{ mode: 'latest', window: '10s' }, 10_001, ['skipped 1 missed (1)']],
    [{ mode: 'all', window: '10s' }, 10_000, ['succeeded 1']],
    [{ mode: 'all', window: '10s' }, 10_001, ['skipped 1 missed (1)']],
    ['none', 0, ['succeeded 1']],
    ['latest', 59_999, ['succeeded 1']],
    ['latest', 60_000, ['skipped 1 missed (1)', 'succeeded 2']],
  ])('to the millisecond: %j, %d ms late', (catchUp, lateMs, story) => {
    const it = world({ catchUp });
    it.now = minutes(1) + lateMs;
    it.drain();
    expect(it.story).toEqual(story);
  });

  test('is decided before anything runs because of it, so that no later worker decides anew', () => {
    const it = world({ catchUp: { mode: 'all', limit: 2 } });
    it.now = minutes(10.5);
    expect(it.claim()).toBe('settled');
    expect(it.record).toMatchObject({ runAt: minutes(9), deliveries: 0, lease: null });
    expect(it.body).toMatchObject({ nominal: minutes(9), backlogUntil: minutes(10) });
    it.now = minutes(20.5);
    it.drain();
    expect(it.story).toEqual([
      'skipped 1-8 missed (8)',
      'succeeded 9',
      'succeeded 10',
      'skipped 11-18 missed (8)',
      'succeeded 19',
      'succeeded 20',
    ]);
  });

  test('none decides again after each run: an occurrence that waited too long behind another is missed', () => {
    const it = world({ catchUp: { mode: 'none', grace: '90s' } });
    it.now = minutes(10.5);
    it.drainTimes(2, minutes(2));
    expect(it.story.slice(0, 3)).toEqual([
      'skipped 1-8 missed (8)',
      'succeeded 9',
      'skipped 10 missed (1)',
    ]);
  });

  test('all runs what has passed in the meantime, too, when the queue itself was interrupted', () => {
    const it = world({ catchUp: 'all' });
    it.now = minutes(3.5);
    const first = it.begin();
    if (first) it.end(first);
    it.now = minutes(6.5);
    it.drain();
    expect(it.story).toEqual(Array.from({ length: 6 }, (_, i) => `succeeded ${i + 1}`));
  });

  test('while all works off its backlog the task is running, and what passes meanwhile is for overlap', () => {
    const slow = (overlap: Policies['overlap']) => {
      const it = world({ catchUp: 'all', ...(overlap && { overlap }) });
      it.now = minutes(3.5);
      it.drainTimes(6, minutes(0.75));
      return it.story;
    };
    expect(slow('skip')).toEqual([
      'succeeded 1',
      'succeeded 2',
      'succeeded 3',
      'skipped 4-5 overlap (2)',
    ]);
    expect(slow('queueOne').slice(0, 6)).toEqual([
      'succeeded 1',
      'succeeded 2',
      'succeeded 3',
      'skipped 4 superseded (1)',
      'succeeded 5',
      'succeeded 6',
    ]);
    expect(slow('queueAll').slice(0, 6)).toEqual(
      Array.from({ length: 6 }, (_, i) => `succeeded ${i + 1}`),
    );
  });

  test('also what passes between the decision and the first run of the backlog', () => {
    const it = world({ catchUp: 'all' });
    it.now = minutes(2.99);
    expect(it.claim()).toBe('settled');
    it.now = minutes(3.01);
    it.drain();
    expect(it.story).toEqual(['succeeded 1', 'succeeded 2', 'skipped 3 overlap (1)']);
  });

  describe('of a one-off', () => {
    test.each<[what: string, catchUp: Policies['catchUp'], story: string[]]>([
      ['none', 'none', ['skipped 1 missed (1)']],
      ['none, within the grace', { mode: 'none', grace: '10m' }, ['succeeded 1']],
      ['latest', 'latest', ['succeeded 1']],
      ['latest, older than the window', { mode: 'latest', window: '5m' }, ['skipped 1 missed (1)']],
      ['all', 'all', ['succeeded 1']],
    ])('that is late: %s', (_, catchUp, story) => {
      for (const trigger of [at(minutes(1)), every('1m', { anchor: 0, start: 1, limit: 1 })]) {
        const it = world({ catchUp }, trigger);
        it.now = minutes(10.5);
        it.drain();
        expect(it.story).toEqual(story);
        expect(it.record).toBeUndefined();
      }
    });

    test('that fell due while it was paused runs when it is resumed', () => {
      const it = world({}, at(minutes(1)));
      it.pause();
      it.now = minutes(10);
      it.drain();
      it.resume();
      it.drain();
      expect(it.story).toEqual(['succeeded 1']);
    });
  });

  describe('of a schedule that ends', () => {
    const thrice = every('1m', { anchor: 0, start: 1, limit: 3 });

    test.each<[catchUp: Policies['catchUp'], story: string[]]>([
      ['none', ['skipped 1-3 missed (3)']],
      ['latest', ['skipped 1-2 missed (2)', 'succeeded 3']],
      [{ mode: 'latest', window: '5m' }, ['skipped 1-3 missed (3)']],
      ['all', ['succeeded 1', 'succeeded 2', 'succeeded 3']],
    ])('with %j', (catchUp, story) => {
      const it = world({ catchUp, keepFinished: true }, thrice);
      it.now = minutes(10.5);
      it.drain();
      expect(it.story).toEqual(story);
      expect(it.record).toMatchObject({ status: 'finished', runAt: null });
      expect(it.body.nominal).toBeNull();
    });
  });

  describe('and pauses', () => {
    test.each<[catchUp: Policies['catchUp'], story: string[]]>([
      ['none', ['skipped 3-6 paused (4)', 'skipped 7-9 missed (3)', 'succeeded 10']],
      ['latest', ['skipped 3-6 paused (4)', 'skipped 7-9 missed (3)', 'succeeded 10']],
      ['all', ['skipped 3-6 paused (4)', ...[7, 8, 9, 10].map((n) => `succeeded ${n}`)]],
    ])('paused from 2.5 to 6.5, and down up to 10.5: %s', (catchUp, story) => {
      const it = world({ catchUp });
      it.workUntil(minutes(2.5));
      it.pause();
      it.workUntil(minutes(6.5));
      it.resume();
      it.now = minutes(10.5);
      it.drain();
      expect(it.story).toEqual(['succeeded 1', 'succeeded 2', ...story]);
    });

    test('an old pause is over: it excuses nothing that falls due after it', () => {
      const it = world({ catchUp: 'all' });
      it.pause();
      it.now = minutes(1.5);
      it.resume();
      it.workUntil(minutes(3.5));
      it.now = minutes(5.5);
      it.drain();
      expect(it.story).toEqual([
        'skipped 1 paused (1)',
        ...[2, 3, 4, 5].map((n) => `succeeded ${n}`),
      ]);
    });

    test('an occurrence at the very moment of resuming is skipped, the next one is not', () => {
      const it = world({});
      it.pause();
      it.now = minutes(2);
      it.resume();
      it.workUntil(minutes(3));
      expect(it.story).toEqual(['skipped 1-2 paused (2)', 'succeeded 3']);
    });

    test('a pause that nothing fell due in changes nothing', () => {
      const it = world({});
      it.now = minutes(0.2);
      it.pause();
      it.now = minutes(0.4);
      it.resume();
      it.workUntil(minutes(1));
      expect(it.story).toEqual(['succeeded 1']);
    });

    test('a backlog that was decided before the pause goes on after it', () => {
      const it = world({ catchUp: 'all' });
      it.now = minutes(2.5);
      expect(it.claim()).toBe('settled');
      it.pause();
      it.now = minutes(4.5);
      it.resume();
      it.drain();
      expect(it.story).toEqual(['succeeded 1', 'succeeded 2', 'skipped 3-4 paused (2)']);
    });

    test('a retry that was waiting goes on after the pause', () => {
      const it = world({ retry: { limit: 1, backoff: 'fixed', min: '10s', jitter: 0 } });
      it.now = minutes(1);
      const first = it.begin();
      if (first) it.end(first, 'fail');
      it.pause();
      it.now = minutes(4.5);
      it.resume();
      it.drain();
      expect(it.story).toEqual([
        'failed 1 and will retry',
        'succeeded 1 attempt 2',
        'skipped 2-4 paused (3)',
      ]);
    });

    test('the last occurrences of a schedule may all have passed in it', () => {
      const it = world({}, every('1m', { anchor: 0, start: 1, limit: 3 }));
      it.pause();
      it.now = minutes(9);
      it.resume();
      it.drain();
      expect(it.story).toEqual(['skipped 1-3 paused (3)']);
      expect(it.record).toBeUndefined();
    });
  });

  describe('and jitter', () => {
    const context = declared(0);

    test('an occurrence has passed when its own moment has, not its nominal time', () => {
      const trigger = every('10m', { anchor: 0, start: 1, jitter: '9m' });
      const runAt = (n: number) => runTime(trigger, minutes(10 * n), context);
      const it = world({ catchUp: 'all' }, trigger);
      it.now = runAt(3) - 1;
      it.drain();
      expect(it.story).toEqual(['succeeded 10', 'succeeded 20']);
      expect(it.record?.runAt).toBe(runAt(3));
      it.now = runAt(3);
      it.drain();
      expect(it.story.at(-1)).toBe('succeeded 30');
    });

    test.each<Policies['catchUp']>([
      { mode: 'none', grace: '1s' },
      { mode: 'latest', window: '1s' },
      { mode: 'all', window: '1s' },
    ])('lateness counts from that moment: %j', (catchUp) => {
      const trigger = every('10m', { anchor: 0, start: 1, jitter: '9m' });
      const it = world({ catchUp }, trigger);
      it.workUntil(minutes(100));
      expect(it.story).toEqual(Array.from({ length: 9 }, (_, i) => `succeeded ${10 * (i + 1)}`));
    });

    test('a jitter longer than the interval does not let occurrences overtake each other', () => {
      const trigger = every('1m', { anchor: 0, start: 1, jitter: '1h' });
      const it = world({}, trigger);
      const moments: number[] = [];
      while (it.records.length < 100) {
        it.now = it.wakeAt ?? 0;
        moments.push(it.now);
        it.drain();
      }
      expect(it.story).toEqual(Array.from({ length: 100 }, (_, i) => `succeeded ${i + 1}`));
      expect(moments).toEqual(moments.toSorted((a, b) => a - b));
      const delays = moments.map((moment, i) => moment - minutes(i + 1));
      expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...delays)).toBeLessThan(minuteMs);
      expect(new Set(delays.map((delay) => Math.floor(delay / 6000))).size).toBe(10);
    });

    test('nor does the shortest of intervals', () => {
      const trigger = every(2, { anchor: 0, jitter: '1h' });
      const delays = Array.from(
        { length: 1000 },
        (_, i) => runTime(trigger, 2 * i, context) - 2 * i,
      );
      expect(new Set(delays)).toEqual(new Set([0, 1]));
    });

    test('the last occurrence has all of its jitter', () => {
      const trigger = every('1m', { anchor: 0, start: 1, limit: 1, jitter: '1h' });
      const delays = Array.from(
        { length: 100 },
        (_, i) => runTime(trigger, minutes(1), declared(0, `task-${i}`)) - minutes(1),
      );
      expect(Math.max(...delays)).toBeGreaterThan(minutes(50));
      expect(Math.max(...delays)).toBeLessThanOrEqual(minutes(60));
    });
  });

  describe('after ten years of an every-second schedule', () => {
    const tenYearsMs = 10 * 365 * 86_400_000;

    test.each<[what: string, policies: Policies]>([
      ['none', { catchUp: 'none' }],
      ['latest', { catchUp: 'latest' }],
      ['latest within a window', { catchUp: { mode: 'latest', window: '1s' } }],
      ['all within a window', { catchUp: { mode: 'all', window: '1m' } }],
      ['all up to a limit', { catchUp: { mode: 'all', limit: 10 } }],
      ['all', { catchUp: 'all' }],
      ['allow', { overlap: 'allow' }],
    ])('%s decides with constant work', (_, policies) => {
      for (const trigger of [
        cron('* * * * * *'),
        every('1s', { anchor: 0, start: 1, jitter: '1m' }),
      ]) {
        const { trigger: observed, calls } = counted(trigger);
        const it = world(policies, observed);
        it.now = tenYearsMs;
        const before = calls();
        it.claim();
        // A thousand to count those that are skipped, no further than that, and a few for each decision.
        expect(calls() - before).toBeLessThan(1100);
      }
    });

    test('a pause of as long costs no more', () => {
      const { trigger, calls } = counted(cron('* * * * * *'));
      const it = world({ catchUp: 'all' }, trigger);
      it.pause();
      it.now = tenYearsMs;
      it.resume();
      const before = calls();
      it.claim();
      expect(calls() - before).toBeLessThan(1100);
      expect(it.records).toMatchObject([
        { reason: 'paused', count: 1000, lastNominal: tenYearsMs },
      ]);
    });

    test('a run of as long costs no more', () => {
      for (const overlap of ['skip', 'queueOne', 'queueAll', 'replace'] as const) {
        const { trigger, calls } = counted(cron('* * * * * *'));
        const it = world({ overlap }, trigger);
        it.now = 1000;
        const attempt = it.begin();
        it.now = tenYearsMs;
        const before = calls();
        if (attempt) it.end(attempt);
        expect(calls() - before).toBeLessThan(1100);
      }
    });
  });
});
