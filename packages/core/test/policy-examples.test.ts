import { describe, expect, test } from 'vitest';
import { every, type Policies } from '../src/index.js';
import { minutes, World } from './support/world.js';

// The worked examples of docs/tasks.md: `every: '10m'` counted from 00:00. Moments are minutes.

const trigger = every('10m', { anchor: 0, start: minutes(10) });

describe('catch-up: workers are down from 00:05 to 00:47', () => {
  test.each<[catchUp: Policies['catchUp'], ran: number[], missed: number[]]>([
    ['none', [], [10, 20, 30, 40]],
    ['latest', [40], [10, 20, 30]],
    ['all', [10, 20, 30, 40], []],
    [{ mode: 'all', limit: 2 }, [30, 40], [10, 20]],
    [{ mode: 'all', window: '25m' }, [30, 40], [10, 20]],
    [{ mode: 'latest', window: '5m' }, [], [10, 20, 30, 40]],
  ])('%j', (catchUp, ran, missed) => {
    const world = new World({ trigger, policies: { catchUp } });
    world.now = minutes(47);
    world.drain();
    const skipped = world.records.filter(({ outcome }) => outcome === 'skipped');
    expect(
      world.records.filter((record) => !skipped.includes(record)).map(({ nominal }) => nominal),
    ).toEqual(ran.map(minutes));
    expect(skipped).toMatchObject(
      missed.length === 0
        ? []
        : [{ reason: 'missed', nominal: minutes(missed[0] ?? 0), count: missed.length }],
    );
  });
});

describe('overlap: the run of 00:10 takes 25 minutes, the others one', () => {
  test.each<[overlap: Policies['overlap'], runs: string[], skipped: string[]]>([
    ['skip', ['10 at 10', '40 at 40'], ['20-30 overlap']],
    ['queueOne', ['10 at 10', '30 at 35', '40 at 40'], ['20-20 superseded']],
    ['queueAll', ['10 at 10', '20 at 35', '30 at 36', '40 at 40'], []],
    ['replace', ['10 at 10', '20 at 20', '30 at 30', '40 at 40'], []],
  ])('%s', (overlap, runs, skipped) => {
    const world = new World({ trigger, policies: { overlap } });
    world.now = minutes(10);
    world.drainTimes(1, minutes(25));
    world.workUntil(minutes(40), minutes(1));
    const minute = (at = Number.NaN) => at / minutes(1);
    expect(
      world.records
        .filter(({ outcome }) => outcome !== 'skipped')
        .map(({ nominal, startedAt }) => `${minute(nominal)} at ${minute(startedAt)}`),
    ).toEqual(runs);
    expect(
      world.records
        .filter(({ outcome }) => outcome === 'skipped')
        .map((it) => `${minute(it.nominal)}-${minute(it.lastNominal)} ${it.reason}`),
    ).toEqual(skipped);
  });

  test.each<[overlap: Policies['overlap'], spawned: number[], skipped: number[]]>([
    ['allow', [10, 20, 30, 40], []],
    [{ mode: 'allow', maxRunning: 1 }, [10, 40], [20, 30]],
  ])('%j', (overlap, spawned, skipped) => {
    const world = new World({ trigger, policies: { overlap } });
    for (const now of [10, 20, 30, 40]) {
      world.now = minutes(now);
      world.claim(now > 10 && now < 35 ? 1 : 0);
    }
    expect(world.children.map(({ runAt }) => runAt)).toEqual(spawned.map(minutes));
    expect(world.records).toMatchObject(
      skipped.map((n) => ({ nominal: minutes(n), reason: 'overlap' })),
    );
  });
});

test('retry: two more attempts, after 10 and 20 seconds', () => {
  const retry = { limit: 2, min: '10s', jitter: 0 } as const;
  const world = new World({ trigger, policies: { retry } });
  world.workUntil(minutes(19), 0, 'fail');
  const seconds = (at = Number.NaN) => (at - minutes(10)) / 1000;
  expect(
    world.records.map(({ attempt, startedAt, retryAt }) => [
      attempt,
      seconds(startedAt),
      retryAt && seconds(retryAt),
    ]),
  ).toEqual([
    [1, 0, 10],
    [2, 10, 30],
    [3, 30, undefined],
  ]);
  expect(world.record?.runAt).toBe(minutes(20));
});
