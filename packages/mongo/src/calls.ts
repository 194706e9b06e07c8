import type { TaskSelector } from '@sched/core';
import type { StoreCalls, Watcher } from '@sched/core/adapter';
import { claimFrom, Landmarks } from './claims.js';
import { limits, Pending, toDocument, toRecord, visible } from './documents.js';
import { forget, readHistory } from './history.js';
import { extendLeases, releaseLeases } from './leases.js';
import { countTasks, listTasks } from './listings.js';
import { Numbers } from './numbers.js';
import type { Settings } from './options.js';
import { deliverOf, deliverSpawned, heal, occupy } from './outbox.js';
import { paused, removed, selected, updated } from './pipelines.js';
import type { Session } from './session.js';
import { settle } from './settlements.js';
import { StoreClock } from './store-clock.js';

/** How often what others have left undone is looked for, in milliseconds. */
const healEveryMs = 5000;

/**
 * The calls of the contract, as commands.
 *
 * @param outside a session in no transaction, for what must not wait for one; the same where there is none
 * @param watcher there where it can listen
 */
export function createCalls(
  session: Session,
  settings: Settings,
  outside = session,
  watcher?: Watcher,
): StoreCalls {
  const { tasks, run, find, isNested } = session;
  const numbers = new Numbers(outside);
  const clock = new StoreClock(outside, settings.clock);
  const delivery = { session, numbers };
  const landmarks = new Landmarks();
  let lookedAt = 0;
  let left: ReadonlySet<string> = new Set();

  /** Does at times what others have left undone, if it was there the last time too. */
  async function healAtTimes(): Promise<void> {
    if (isNested || performance.now() - lookedAt < healEveryMs) return;
    lookedAt = performance.now();
    left = await heal(delivery, left);
  }

  /** The tasks that are meant, those included that are about to come out of an outbox. */
  async function select(selector: TaskSelector) {
    if (!isNested) await deliverSpawned(delivery);
    return selected(selector);
  }

  return {
    limits,

    now: () => clock.now(),

    async insert(records) {
      const first = await numbers.unique(records.length);
      const documents = records.map((record, index) => toDocument(record, first + index));
      const serials = await occupy(delivery, documents, true);
      return serials.map((serial, index) => (serial === first + index ? 'inserted' : 'exists'));
    },

    async read(ids) {
      const found = await find(tasks, { _id: { $in: ids }, status: { $in: visible } });
      return found.map(toRecord);
    },

    async update(id, change, expected) {
      const revision = await numbers.unique();
      const there = { _id: id, status: { $in: visible } };
      const { matchedCount } = await run((options) =>
        tasks.updateMany({ ...there, revision: expected }, updated(change, revision), options),
      );
      if (matchedCount > 0) return 'updated';
      const [task] = await find(tasks, there, { projection: { revision: 1 } });
      if (!task) return 'missing';
      // The driver may have made the call again, whose first answer was lost.
      return task.revision === revision ? 'updated' : 'conflict';
    },

    async list(request) {
      if (!isNested) await deliverSpawned(delivery);
      return listTasks(session, clock, request);
    },

    async count(filter) {
      if (!isNested) await deliverSpawned(delivery);
      return countTasks(session, clock, filter);
    },

    async remove(selector) {
      const there = await select(selector);
      // All at once, or what is inserted meanwhile might be removed as well.
      const { matchedCount } = await run((options) => tasks.updateMany(there, removed(), options));
      if (matchedCount === 0) return 0;
      // Those that have something in their outbox stay until it is delivered, but are gone for everybody.
      const rest = {
        ...('ids' in selector && { _id: { $in: selector.ids } }),
        ...{ pending: { $gte: Pending.other }, status: 'removed', outbox: { $exists: false } },
      };
      await run((options) => tasks.deleteMany(rest, options));
      return matchedCount;
    },

    async setPaused(selector, isPaused, at) {
      const now = isPaused ? null : (at ?? (await clock.now()));
      const others = { ...(await select(selector)), paused: !isPaused };
      const { matchedCount } = await run((options) =>
        tasks.updateMany(others, paused(isPaused, now), options),
      );
      return matchedCount;
    },

    async claim(request) {
      watcher?.note(request.queues);
      await healAtTimes();
      return claimFrom(delivery, clock, landmarks, request);
    },

    extend: async (leases, leaseMs, at) =>
      extendLeases(session, leases, (at ?? (await clock.now())) + leaseMs),

    async settle(settlements) {
      const { answers, alone, together } = await settle(delivery, settlements);
      // What was settled is settled, whatever comes of this; the next call tries again.
      if (!isNested) await forget(session, clock, settings, alone, together).catch(() => {});
      return answers;
    },

    release: (leases) => releaseLeases(session, leases),

    async history(taskId, limit) {
      await deliverOf(delivery, taskId);
      return readHistory(session, clock, settings, taskId, limit);
    },

    ...(watcher && { watch: (listener) => watcher.watch(listener) }),
  };
}
