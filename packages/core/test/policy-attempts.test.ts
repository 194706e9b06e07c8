import { describe, expect, test } from 'vitest';
import { conclude, retryDelayMs } from '../src/decisions/conclude.js';
import { anyOf, at, every, type Policies } from '../src/index.js';
import { resolvePolicies } from '../src/policies.js';
import { writeBody } from '../src/record.js';
import { minutes, type World, world } from './support/world.js';

// The moments in these tests are minutes.

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
