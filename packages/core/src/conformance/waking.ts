import type { ClaimResult } from '../data-store.js';
import { holds, present, same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start } from './harness.js';
import {
  again,
  claimOne,
  claimRequest,
  finish,
  idsOf,
  leaseMs,
  leaseOf,
  read,
  record,
} from './records.js';

/** Requires a `nextWakeAt` that may be too early, but is never too late. */
export function wakesBy({ nextWakeAt }: ClaimResult, moment: number): void {
  holds(
    nextWakeAt !== null && nextWakeAt <= moment,
    `nextWakeAt is never later than the earliest wakeAt: ${nextWakeAt} instead of ${moment}`,
  );
}

/** What `claim` says about when to claim next. */
export const wakingCases: readonly CaseDefinition[] = [
  {
    name: 'a claim says when to wake next: the earliest wakeAt that is left, new leases included',
    guarantee: 'G5',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([
        record('a', { runAt: start }),
        record('b', { runAt: start + 50 }),
        record('c', { runAt: start + 3000 }),
      ]);
      const first = await claimRequest(store, { leaseMs: 200 });
      same(idsOf(first.tasks), ['a'], 'what is due is taken');
      wakesBy(first, start + 50);
      clock.advance(50);
      wakesBy(await claimRequest(store, { leaseMs: 200 }), start + 200);
      clock.advance(150);
      wakesBy(await claimRequest(store, { leaseMs: 5000 }), start + 250);
    },
  },
  {
    name: 'a claim whose limit left due tasks behind says to wake at once',
    guarantee: 'G5',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([
        record('a', { runAt: start - 5 }),
        record('b', { runAt: start - 5 }),
        record('c', { queue: 'other', runAt: start - 1 }),
      ]);
      clock.advance(10);
      const request = { queues: ['q', 'other'], limit: 1 };
      wakesBy(await claimRequest(store, request), start - 5);
      wakesBy(await claimRequest(store, request), start - 1);
      wakesBy(await claimRequest(store, request), start + 10 + leaseMs);
    },
  },
  {
    name: 'there is nothing to wake for when the queues hold no task that can ever be due',
    guarantee: 'G5',
    async run({ open }) {
      const store = await open();
      const sleepsOn = async (why: string) =>
        same((await claimRequest(store)).nextWakeAt, null, `nextWakeAt is null: ${why}`);
      await sleepsOn('there are no tasks');
      await store.insert([record('elsewhere', { queue: 'other' })]);
      await sleepsOn('the only task is in another queue');
      await store.insert([record('paused', { paused: true, runAt: start + 5 })]);
      await sleepsOn('the only task of the queue is paused');
      await store.insert([record('finished', { status: 'finished', runAt: null })]);
      await sleepsOn('the other one is finished');
      await store.insert([record('a')]);
      await store.settle([finish(await claimOne(store))]);
      await sleepsOn('the third has just finished');
      await store.insert([record('b')]);
      await claimOne(store);
      await store.setPaused({ ids: ['b'] }, true);
      await sleepsOn('the fourth was paused while it runs');
      await store.insert([record('c', { runAt: start + 7 })]);
      await store.remove({ ids: ['c'] });
      await sleepsOn('the fifth was removed');
    },
  },
  {
    name: 'a worker that wakes when it is told reaches a distant task on time and without spinning',
    guarantee: 'G5',
    async run({ open, clock }) {
      const store = await open();
      const runAt = start + 90 * 24 * 3_600_000;
      await store.insert([record('a', { runAt })]);
      for (let claims = 0; claims < 100; claims++) {
        const { tasks, now, nextWakeAt } = await claimRequest(store);
        if (tasks.length > 0) {
          same(now, runAt, 'a worker that wakes at nextWakeAt claims a task at its time');
          return;
        }
        clock.now = Math.max(now, present(nextWakeAt, 'nextWakeAt is not null: a task is left'));
      }
      holds(
        false,
        'nextWakeAt may be too early at the price of a wasted claim, not of 100 of them',
      );
    },
  },
  {
    name: 'after each call a claim says to wake for what that call has made of the task',
    guarantee: 'G5',
    async run({ open, clock }) {
      const store = await open();
      const wakes = async (moment: number) => {
        const result = await claimRequest(store, { owner: 'other' });
        same(idsOf(result.tasks), [], 'nothing is due yet');
        wakesBy(result, moment);
      };
      await store.insert([record('a', { runAt: start + 900 })]);
      await wakes(start + 900);
      await store.update('a', { runAt: start + 800 }, await read(store, 'a'));
      await wakes(start + 800);
      clock.now = start + 800;
      const task = await claimOne(store, { leaseMs: 500 });
      await wakes(start + 1300);
      await store.extend([leaseOf(task)], 100);
      await wakes(start + 900);
      await store.setPaused({ ids: ['a'] }, true);
      same((await claimRequest(store)).nextWakeAt, null, 'nextWakeAt is null: it is paused');
      await store.setPaused({ ids: ['a'] }, false);
      await wakes(start + 900);
      await store.release([{ ...leaseOf(task), deferUntil: start + 850 }]);
      await wakes(start + 850);
      clock.now = start + 850;
      const spawn = [record('b', { runAt: start + 860 })];
      await store.settle([again(await claimOne(store), start + 870, { spawn })]);
      await wakes(start + 860);
      await store.remove({ ids: ['b'] });
      await wakes(start + 870);
      await store.update('a', { status: 'failed', runAt: null }, await read(store, 'a'));
      same((await claimRequest(store)).nextWakeAt, null, 'nextWakeAt is null: it has failed');
      await store.update('a', { status: 'scheduled', runAt: start + 990 }, await read(store, 'a'));
      await wakes(start + 990);
    },
  },
];
