import { describe, expect, test } from 'vitest';
import { anyOf, at, cron, every, type Policies, type Trigger } from '../src/index.js';
import { resolvePolicies } from '../src/policies.js';
import { conclude, retryDelayMs } from '../src/policy.js';
import { readBody, writeBody } from '../src/record.js';
import { runTime } from '../src/schedule.js';
import { counted } from './support/counted.js';
import { declared } from './support/occurrences.js';
import { type LoosePolicies, minuteMs, World } from './support/world.js';

/** Occurrences at each full minute from 1 on. The moments in these tests are minutes. */
const minutely = every('1m', { anchor: 0, start: minuteMs });

function world(policies: LoosePolicies, trigger: Trigger = minutely): World {
  return new World({ trigger, policies });
}

const minutes = (count: number) => count * minuteMs;

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

describe('overlap', () => {
  test.each<[overlap: Policies['overlap'], story: string[]]>([
    ['skip', ['succeeded 1', 'skipped 2-4 overlap (3)']],
    ['queueOne', ['succeeded 1', 'skipped 2-3 superseded (2)', 'succeeded 4']],
    ['queueAll', ['succeeded 1', 'succeeded 2', 'succeeded 3', 'succeeded 4']],
  ])('%s, when a run lasts from 1 to 4.5', (overlap, story) => {
    const it = world({ overlap });
    it.now = minutes(1);
    const attempt = it.begin();
    it.now = minutes(4.5);
    if (attempt) it.end(attempt);
    it.drain();
    expect(it.story).toEqual(story);
    expect(it.record?.runAt).toBe(minutes(5));
  });

  test.each<[overlap: Policies['overlap'], endAt: number, story: string[]]>([
    ['skip', 120_000, ['succeeded 1', 'skipped 2 overlap (1)']],
    ['skip', 119_999, ['succeeded 1']],
    ['queueOne', 120_000, ['succeeded 1', 'succeeded 2']],
    ['queueOne', 119_999, ['succeeded 1']],
  ])('to the millisecond: %s, a run that ends at %d ms', (overlap, endAt, story) => {
    const it = world({ overlap });
    it.now = minutes(1);
    const attempt = it.begin();
    it.now = endAt;
    if (attempt) it.end(attempt);
    it.drain();
    expect(it.story).toEqual(story);
  });

  test('queueAll loses none, however far the task falls behind', () => {
    const it = world({ overlap: 'queueAll' });
    it.now = minutes(1);
    it.drainTimes(50, minutes(1.5));
    expect(it.story).toEqual(Array.from({ length: 50 }, (_, i) => `succeeded ${i + 1}`));
  });

  test('queueOne runs the latest each time, and accounts for all others', () => {
    const it = world({ overlap: 'queueOne' });
    it.now = minutes(1);
    it.drainTimes(3, minutes(2.5));
    expect(it.story).toEqual([
      'succeeded 1',
      'skipped 2 superseded (1)',
      'succeeded 3',
      'skipped 4-5 superseded (2)',
      'succeeded 6',
      'skipped 7 superseded (1)',
    ]);
  });

  test('what falls due at the very moment at which a late run begins is for catch-up', () => {
    const it = world({});
    it.now = minutes(1);
    it.take();
    it.now = minutes(2);
    const attempt = it.begin();
    it.now = minutes(2.5);
    if (attempt) it.end(attempt);
    it.drain();
    expect(it.story).toEqual(['succeeded 1', 'succeeded 2']);
  });

  test('an occurrence falls due when its jitter is over, and so during a run that began after its nominal time', () => {
    const trigger = every('10m', { anchor: 0, start: 1, jitter: '9m' });
    const it = world({}, trigger);
    it.now = it.wakeAt ?? 0;
    it.take();
    it.now = minutes(20) + 1;
    const attempt = it.begin();
    expect(runTime(trigger, minutes(20), declared(0))).toBeGreaterThan(it.now);
    it.now = minutes(29.99);
    if (attempt) it.end(attempt);
    expect(it.story).toEqual(['succeeded 10', 'skipped 20 overlap (1)']);
  });

  describe('replace', () => {
    test('aborts the run when the next occurrence falls due, which then runs', () => {
      const it = world({ overlap: 'replace' });
      it.now = minutes(1);
      it.drainTimes(3, minutes(1.5));
      expect(it.story).toEqual([
        'interrupted 1 superseded',
        'interrupted 2 superseded',
        'interrupted 3 superseded',
      ]);
      expect(it.record?.runAt).toBe(minutes(4));
    });

    test('lets a run that began late go on until a newer occurrence falls due', () => {
      const it = world({ overlap: 'replace', catchUp: 'all' });
      it.now = minutes(3.25);
      const attempt = it.begin();
      expect(attempt?.replacedAt).toBe(minutes(4));
      if (attempt) it.end(attempt);
      expect(it.begin()?.claim.body.nominal).toBe(minutes(2));
    });

    test('comes before what is left of a backlog', () => {
      const it = world({ overlap: 'replace', catchUp: 'all' });
      it.now = minutes(3.5);
      it.drain(minutes(0.4));
      expect(it.story).toEqual([
        'succeeded 1',
        'interrupted 2 superseded',
        'skipped 3 superseded (1)',
        'succeeded 4',
      ]);
    });

    test('waits for the moment that jitter gives to the next occurrence', () => {
      const trigger = every('10m', { anchor: 0, start: 1, jitter: '9m' });
      const it = world({ overlap: 'replace' }, trigger);
      it.now = it.wakeAt ?? 0;
      expect(it.begin()?.replacedAt).toBe(runTime(trigger, minutes(20), declared(0)));
    });

    test('never comes for the last occurrence', () => {
      const it = world({ overlap: 'replace' }, at(minutes(1)));
      it.now = minutes(1);
      expect(it.begin()?.replacedAt).toBeNull();
    });
  });

  describe('allow', () => {
    const spawned = (it: World) => it.children.map(({ id }) => id);
    const idOf = (n: number) => `task@${minutes(n)}`;

    test('gives each occurrence a task of its own, which says whose it is', () => {
      const it = world({ overlap: 'allow', retry: 1, keepFinished: true });
      it.workUntil(minutes(2.5));
      expect(spawned(it)).toEqual([idOf(1), idOf(2)]);
      expect(it.story).toEqual([]);
      const [child] = it.children;
      expect(child).toMatchObject({ status: 'scheduled', paused: false, runAt: minutes(1) });
      expect(readBody(child?.body ?? '')).toMatchObject({
        trigger: { kind: 'at', at: minutes(1) },
        nominal: minutes(1),
        parent: 'task',
        policies: { overlap: { mode: 'skip' }, retry: { limit: 1 }, keepFinished: false },
      });
    });

    test.each<[catchUp: Policies['catchUp'], from: number, story: string[]]>([
      ['none', 10, ['skipped 1-9 missed (9)']],
      ['latest', 10, ['skipped 1-9 missed (9)']],
      ['all', 1, []],
      [{ mode: 'all', limit: 3 }, 8, ['skipped 1-7 missed (7)']],
    ])('with catch-up: %j', (catchUp, from, story) => {
      const it = world({ overlap: 'allow', catchUp });
      it.now = minutes(10.5);
      it.drain();
      expect(spawned(it)).toEqual(Array.from({ length: 11 - from }, (_, i) => idOf(from + i)));
      expect(it.story).toEqual(story);
      expect(it.record?.runAt).toBe(minutes(11));
      expect(it.body).not.toHaveProperty('backlogUntil');
    });

    test('a child that fails for good is removed, and leaves its record with the schedule', () => {
      const it = world({ retry: 0, keepFinished: true }, at(minutes(1)));
      it.edit({ body: writeBody({ ...it.body, parent: 'schedule' }) });
      it.workUntil(minutes(1), 0, 'fail');
      expect(it.records).toMatchObject([{ outcome: 'failed', childId: 'task' }]);
      expect(it.record).toBeUndefined();
    });

    test('a child that succeeds is removed', () => {
      const it = world({ keepFinished: true }, at(minutes(1)));
      it.edit({ body: writeBody({ ...it.body, parent: 'schedule' }) });
      it.workUntil(minutes(1));
      expect(it.records).toMatchObject([{ outcome: 'succeeded', childId: 'task' }]);
      expect(it.record).toBeUndefined();
    });

    test('up to maxRunning; what is over is skipped', () => {
      const it = world({ overlap: { mode: 'allow', maxRunning: 2 } });
      for (const running of [0, 1, 2, 2, 1]) {
        it.now = it.wakeAt ?? 0;
        it.claim(running);
      }
      expect(spawned(it)).toEqual([idOf(1), idOf(2), idOf(5)]);
      expect(it.story).toEqual(['skipped 3 overlap (1)', 'skipped 4 overlap (1)']);
      expect(it.body.children).toEqual(spawned(it));
    });

    test('spawns again, under the same id, for a worker that vanished before it said so', () => {
      const it = world({ overlap: 'allow', delivery: 'atMostOnce', maxDeliveries: 1 });
      it.now = minutes(1);
      it.take();
      it.now += 15_000;
      it.claim();
      expect(spawned(it)).toEqual([idOf(1)]);
    });

    test('ends with its schedule, and its children live on', () => {
      const it = world({ overlap: 'allow' }, every('1m', { anchor: 0, start: 1, limit: 2 }));
      it.workUntil(minutes(5));
      expect(spawned(it)).toEqual([idOf(1), idOf(2)]);
      expect(it.record).toBeUndefined();
    });

    test('is nothing to a one-off, which runs itself', () => {
      const it = world({ overlap: 'allow' }, at(minutes(1)));
      it.workUntil(minutes(5));
      expect(it.story).toEqual(['succeeded 1']);
      expect(it.children).toEqual([]);
    });
  });

  test('a run that began late leaves to catch-up what had passed before it began', () => {
    const it = world({ catchUp: 'all' });
    it.now = minutes(1);
    it.take();
    it.now = minutes(3.5);
    it.drain();
    expect(it.story).toEqual(['succeeded 1', 'succeeded 2', 'succeeded 3']);
  });
});

describe('retry', () => {
  const retry = { limit: 2, backoff: 'fixed', min: '10s', jitter: 0 } as const;

  test.each<[what: string, policy: Policies['retry'], delaysMs: number[]]>([
    ['fixed', { backoff: 'fixed', min: '5s', jitter: 0 }, [5000, 5000, 5000, 5000]],
    ['exponential', { min: '1s', jitter: 0 }, [1000, 2000, 4000, 8000]],
    ['up to the longest', { min: '1s', max: '3s', jitter: 0 }, [1000, 2000, 3000, 3000]],
    ['a shortest above the default longest', { min: '2h', jitter: 0 }, [7_200_000, 7_200_000]],
  ])('delays: %s', (_, policy, delaysMs) => {
    const resolved = resolvePolicies({ retry: policy ?? 3 }).retry;
    expect(resolved && delaysMs.map((_, i) => retryDelayMs(resolved, i + 1, 'seed'))).toEqual(
      delaysMs,
    );
  });

  test('jitter takes off up to its share, the same for the same occurrence, and nothing overflows', () => {
    const resolved = resolvePolicies({ retry: { limit: 1e9, min: '1s', jitter: 0.5 } }).retry;
    if (!resolved) throw new Error('unreachable');
    const delays = Array.from({ length: 1000 }, (_, i) => retryDelayMs(resolved, 1, `task-${i}`));
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(500);
    expect(Math.min(...delays)).toBeLessThan(510);
    expect(Math.max(...delays)).toBeLessThanOrEqual(1000);
    expect(Math.max(...delays)).toBeGreaterThan(990);
    expect(retryDelayMs(resolved, 1, 'task-7')).toBe(delays[7]);
    expect(retryDelayMs(resolved, 2000, 'a')).toBeLessThanOrEqual(3_600_000);
  });

  test('a failed attempt is made again, later, under the same nominal time', () => {
    const it = world({ retry });
    it.now = minutes(1);
    const attempt = it.begin();
    it.now += 1000;
    if (attempt) it.end(attempt, 'fail');
    expect(it.record).toMatchObject({ runAt: minutes(1) + 11_000, deliveries: 0 });
    expect(it.body).toMatchObject({ nominal: minutes(1), attempt: 2, begunAt: minutes(1) });
    it.workUntil(minutes(1.5));
    expect(it.story).toEqual(['failed 1 and will retry', 'succeeded 1 attempt 2']);
  });

  test('a recurring task whose attempts are exhausted goes on', () => {
    const it = world({ retry });
    it.workUntil(minutes(1.9), 0, 'fail');
    expect(it.story).toEqual([
      'failed 1 and will retry',
      'failed 1 attempt 2 and will retry',
      'failed 1 attempt 3',
    ]);
    expect(it.record).toMatchObject({ status: 'scheduled', paused: false, runAt: minutes(2) });
    expect(it.body).toMatchObject({ attempt: 1, last: { outcome: 'failed', attempt: 3 } });
  });

  test('or is paused, if asked, and goes on with what falls due after it is resumed', () => {
    const it = world({ retry: { ...retry, limit: 0, whenExhausted: 'pause' } });
    it.workUntil(minutes(3.5), 0, 'fail');
    expect(it.record).toMatchObject({ status: 'scheduled', paused: true, runAt: minutes(2) });
    it.resume();
    it.workUntil(minutes(4.5));
    expect(it.story).toEqual(['failed 1', 'skipped 2-3 paused (2)', 'succeeded 4']);
  });

  test('which only a failure brings about', () => {
    const it = world({ retry: { whenExhausted: 'pause' } });
    it.workUntil(minutes(1));
    expect(it.record?.paused).toBe(false);
  });

  test('a failed schedule that is given another chance does not run what it had skipped', () => {
    const it = world(
      { retry: 0, keepFinished: true },
      every('1m', { anchor: 0, start: 1, limit: 3 }),
    );
    it.now = minutes(1);
    it.drainTimes(1, minutes(5), 'fail');
    const failed = ['failed 1', 'skipped 2-3 overlap (2)'];
    expect(it.story).toEqual(failed);
    const nominal = minutes(1);
    const again = { ...it.body, nominal, backlogUntil: nominal, isLast: true } as const;
    it.edit({ status: 'scheduled', runAt: it.now, body: writeBody(again) });
    it.drain();
    expect(it.story).toEqual([...failed, 'succeeded 1']);
    expect(it.record?.status).toBe('finished');
    expect(it.body).not.toHaveProperty('isLast');
  });

  test('a one-off whose attempts are exhausted is kept as failed, whatever keepFinished says', () => {
    for (const whenExhausted of ['continue', 'pause'] as const) {
      const it = world({ retry: { ...retry, whenExhausted } }, at(minutes(1)));
      it.workUntil(minutes(5), 0, 'fail');
      expect(it.record).toMatchObject({ status: 'failed', runAt: null, paused: false });
      expect(it.body).toMatchObject({ nominal: null, last: { outcome: 'failed', attempt: 3 } });
    }
  });

  test('so is a schedule whose last occurrence failed', () => {
    const it = world({ retry: 0 }, anyOf(at(minutes(1)), at(minutes(2))));
    it.workUntil(minutes(1));
    it.workUntil(minutes(5), 0, 'failForGood');
    expect(it.story).toEqual(['succeeded 1', 'failed 2']);
    expect(it.record?.status).toBe('failed');
  });

  test('an error that is permanent is not tried again', () => {
    const it = world({ retry });
    it.now = minutes(1);
    it.drain(0, 'failForGood');
    expect(it.story).toEqual(['failed 1']);
  });

  test('a success ends a one-off: it is removed, or kept as finished', () => {
    const removed = world({}, at(minutes(1)));
    removed.workUntil(minutes(1));
    expect(removed.record).toBeUndefined();
    const kept = world({ keepFinished: true }, at(minutes(1)));
    kept.workUntil(minutes(1));
    expect(kept.record).toMatchObject({ status: 'finished', runAt: null });
  });

  test('from the first attempt to the last the task is running: what passes meanwhile is overlap', () => {
    const it = world({ retry: { ...retry, min: '50s' } });
    it.now = minutes(1);
    it.workUntil(minutes(2.9), 0, 'fail');
    expect(it.story.slice(2)).toEqual(['failed 1 attempt 3', 'skipped 2 overlap (1)']);
  });

  test('also while it waits longer than the grace', () => {
    const it = world({ retry: { ...retry, min: '3m' } });
    it.now = minutes(1);
    it.drain(0, 'fail');
    it.workUntil(minutes(4.5));
    expect(it.story).toEqual([
      'failed 1 and will retry',
      'succeeded 1 attempt 2',
      'skipped 2-4 overlap (3)',
    ]);
  });

  test('but not while nothing was there to make the next attempt: that is for catch-up', () => {
    const it = world({ retry, catchUp: 'all' });
    it.now = minutes(1);
    const attempt = it.begin();
    if (attempt) it.end(attempt, 'fail');
    it.now = minutes(5.5);
    it.drain();
    expect(it.story).toEqual([
      'failed 1 and will retry',
      'succeeded 1 attempt 2',
      ...[2, 3, 4, 5].map((n) => `succeeded ${n}`),
    ]);
  });
});

describe('delivery', () => {
  test('at least once: a run whose worker vanished runs again, when its lease is over', () => {
    const it = world({});
    it.now = minutes(1);
    it.begin();
    it.now += 14_999;
    expect(it.begin()).toBeUndefined();
    it.now += 1;
    it.drain();
    expect(it.story).toEqual(['succeeded 1']);
  });

  test('and stays the same occurrence, however many have passed since', () => {
    const it = world({ catchUp: 'none' });
    it.now = minutes(1);
    it.begin();
    it.now = minutes(5.5);
    it.drain();
    expect(it.story).toEqual(['succeeded 1', 'skipped 2-4 missed (3)', 'succeeded 5']);
  });

  test('at most once: it does not, and says so', () => {
    const it = world({ delivery: 'atMostOnce' });
    it.now = minutes(1);
    const lost = it.begin();
    it.now = minutes(1.5);
    it.drain();
    expect(it.story).toEqual(['failed 1']);
    expect(it.records[0]?.error?.code).toBe('SCHED_DELIVERY_LOST');
    expect(it.record?.runAt).toBe(minutes(2));
    expect(lost && it.end(lost)).toBe(false);
  });

  test('at most once: a one-off is kept as failed', () => {
    const it = world({ delivery: 'atMostOnce' }, at(minutes(1)));
    it.now = minutes(1);
    it.begin();
    it.now = minutes(5);
    it.drain();
    expect(it.record?.status).toBe('failed');
  });

  test('at most once: neither a failure nor a stop is followed by another attempt', () => {
    for (const ending of ['fail', 'stop'] as const) {
      const it = world({ delivery: 'atMostOnce' });
      it.now = minutes(1);
      it.drain(0, ending);
      expect(it.story).toEqual(['failed 1']);
    }
  });

  test('a task that was handed out in vain maxDeliveries times is failed', () => {
    const it = world({ maxDeliveries: 3 });
    it.now = minutes(1);
    for (let i = 0; i < 3; i++) {
      expect(it.begin()).toBeDefined();
      it.now += 15_000;
    }
    expect(it.begin()).toBeUndefined();
    expect(it.story).toEqual(['failed 1']);
    expect(it.records[0]?.error?.code).toBe('SCHED_DELIVERY_EXHAUSTED');
  });

  test('a failure that was recorded starts the count anew', () => {
    const it = world({
      maxDeliveries: 2,
      retry: { limit: 5, backoff: 'fixed', min: 1, jitter: 0 },
    });
    it.now = minutes(1);
    for (let i = 0; i < 3; i++) {
      it.begin();
      it.now += 15_000;
      const attempt = it.begin();
      if (attempt) it.end(attempt, 'fail');
      it.now += 1;
    }
    expect(it.story).toHaveLength(3);
    expect(it.story.at(-1)).toBe('failed 1 attempt 3 and will retry');
  });

  test('a run that the scheduler stopped is made again as the same attempt, whatever has passed since', () => {
    const it = world({ catchUp: 'none' });
    it.now = minutes(1);
    const attempt = it.begin();
    it.now = minutes(1.25);
    if (attempt) it.end(attempt, 'stop');
    expect(it.record).toMatchObject({ runAt: minutes(1.25), deliveries: 0 });
    it.now = minutes(9.5);
    it.drain();
    expect(it.story).toEqual([
      'interrupted 1',
      'succeeded 1',
      'skipped 2-8 missed (7)',
      'succeeded 9',
    ]);
  });

  test('a stop keeps what overlap has queued', () => {
    const it = world({ overlap: 'queueAll' });
    it.now = minutes(1);
    it.drainTimes(1, minutes(3.5));
    const attempt = it.begin();
    if (attempt) it.end(attempt, 'stop');
    it.drain();
    expect(it.story).toEqual([
      'succeeded 1',
      'interrupted 2',
      'succeeded 2',
      'succeeded 3',
      'succeeded 4',
    ]);
  });

  test('a stop keeps what catch-up has decided to run', () => {
    const it = world({ catchUp: { mode: 'all', window: '3m' } });
    it.now = minutes(3.5);
    const attempt = it.begin();
    if (attempt) it.end(attempt, 'stop');
    it.now = minutes(5.5);
    it.drainTimes(3, 0);
    expect(it.story).toEqual(['interrupted 1', 'succeeded 1', 'succeeded 2', 'succeeded 3']);
  });

  test('a stop does not use up an attempt, and keeps the backlog', () => {
    const it = world({ catchUp: 'all', retry: 0 });
    it.now = minutes(3.5);
    const attempt = it.begin();
    if (attempt) it.end(attempt, 'stop');
    it.drain();
    expect(it.story).toEqual(['interrupted 1', 'succeeded 1', 'succeeded 2', 'succeeded 3']);
  });
});

describe('a request to cancel', () => {
  const cancel = (it: World) => {
    const token = it.record?.lease?.token;
    it.edit({
      body: writeBody({ ...it.body, ...(token !== undefined && { cancelToken: token }) }),
    });
  };

  test('that the handler forestalls by failing still keeps it from being tried again', () => {
    for (const ending of ['fail', 'stop'] as const) {
      const it = world({ retry: 5 });
      it.now = minutes(1);
      const attempt = it.begin();
      cancel(it);
      if (attempt) it.end(attempt, ending);
      expect(it.story).toEqual(['failed 1']);
      expect(it.body).not.toHaveProperty('cancelToken');
    }
  });

  test('outlives the worker that did not live to hear of it', () => {
    const it = world({});
    it.now = minutes(1);
    it.begin();
    cancel(it);
    it.now = minutes(1.5);
    it.drain();
    expect(it.story).toEqual(['failed 1']);
    expect(it.records[0]?.error?.code).toBe('SCHED_CANCELLED');
    it.workUntil(minutes(2));
    expect(it.story.at(-1)).toBe('succeeded 2');
  });
});

describe('an edit during a run', () => {
  const reschedule = (it: World, nominal: number) => {
    const { begunAt: _begunAt, backlogUntil: _backlogUntil, ...body } = it.body;
    it.trigger = at(nominal);
    const edited = { ...body, nominal, attempt: 1, declaredAt: it.now, edition: body.edition + 1 };
    it.edit({ runAt: nominal, body: writeBody({ ...edited, trigger: it.trigger.toJSON() }) });
  };

  test.each([
    ['succeed', 'succeeded 1'],
    ['fail', 'failed 1'],
    ['stop', 'interrupted 1'],
  ] as const)('of the schedule stands, and the run is recorded: %s', (ending, line) => {
    const it = world({ retry: 5 });
    it.now = minutes(1);
    const attempt = it.begin();
    it.now = minutes(3.5);
    reschedule(it, minutes(100));
    it.now = minutes(4.5);
    expect(attempt && it.end(attempt, ending)).toBe(true);
    expect(it.story).toEqual([line]);
    expect(it.records[0]).not.toHaveProperty('retryAt');
    expect(it.record).toMatchObject({ status: 'scheduled', runAt: minutes(100), lease: null });
    expect(it.body).toMatchObject({
      nominal: minutes(100),
      attempt: 1,
      last: { nominal: minutes(1) },
    });
  });

  test('of anything else holds, and the run is concluded by it', () => {
    const it = world({ retry: 5 });
    it.now = minutes(1);
    const attempt = it.begin();
    const { policies, ...body } = it.body;
    const none = resolvePolicies({ retry: 0 });
    it.edit({
      queue: 'other',
      body: writeBody({ ...body, payload: 'new', policies: { ...policies, ...none } }),
    });
    if (attempt) it.end(attempt, 'fail');
    expect(it.story).toEqual(['failed 1']);
    expect(it.record).toMatchObject({ queue: 'other', runAt: minutes(2) });
    expect(it.body.payload).toBe('new');
  });

  test('is not run early when the worker vanishes: what is over is the lease, not the time to wait', () => {
    for (const delivery of ['atLeastOnce', 'atMostOnce'] as const) {
      const it = world({ delivery });
      it.now = minutes(1);
      it.begin();
      reschedule(it, minutes(100));
      it.now = minutes(2);
      expect(it.claim()).toBe('settled');
      expect(it.record).toMatchObject({ runAt: minutes(100), lease: null, deliveries: 0 });
      expect(it.claim()).toBe('idle');
      it.now = minutes(100);
      it.drain();
      expect(it.story).toEqual(['succeeded 100']);
    }
  });
});

test('a decision is about the occurrence and nothing else: the same record, event and time give the same', () => {
  const it = world({ overlap: 'queueOne', retry: 2 });
  it.now = minutes(1);
  const attempt = it.begin();
  if (!attempt) throw new Error('unreachable');
  const decide = () =>
    conclude(
      attempt.claim,
      { kind: 'failed', error: { name: 'Error', message: 'a' }, permanent: false },
      minutes(1),
      minutes(5.5),
    );
  expect(decide()).toEqual(decide());
});
