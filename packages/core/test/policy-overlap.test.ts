import { describe, expect, test } from 'vitest';
import { at, every, type Policies } from '../src/index.js';
import { readBody, writeBody } from '../src/record.js';
import { declared } from './support/occurrences.js';
import { minutes, runTime, type World, world } from './support/world.js';

// The moments in these tests are minutes.

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
