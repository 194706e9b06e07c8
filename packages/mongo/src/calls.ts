import type { ListRequest, Release, TaskFilter, TaskSelector } from '@sched/core';
import type { StoreCalls, Watcher } from '@sched/core/adapter';
import { isFiltered, listingHorizon, toPage } from '@sched/core/adapter';
import { claimFrom } from './claims.js';
import type { MongoDocument } from './client.js';
import { DueTasks } from './due-tasks.js';
import { forget, readHistory } from './history.js';
import { deliverOf, deliverSpawned, heal, occupy } from './outbox.js';
import { extended, fenced, paused, released, removed, updated } from './pipelines.js';
import { limits, matching, selected, there, toDocument, toRecord } from './records.js';
import { Pending } from './schema.js';
import type { Session } from './session.js';
import { settle } from './settlements.js';

/** How often what others have left undone is looked for, in milliseconds. */
const healEveryMs = 5000;

/**
 * The calls of the contract, as commands.
 *
 * @param watcher there where it can listen
 */
export function createCalls(session: Session, watcher?: Watcher): StoreCalls {
  const { tasks, isNested, numbers, clock } = session;
  const dueTasks = new DueTasks(tasks);
  let lookedAt = 0;
  let left: ReadonlySet<string> = new Set();

  /** Does at times what others have left undone, if it was there the last time too. */
  async function healAtTimes(): Promise<void> {
    if (isNested || performance.now() - lookedAt < healEveryMs) return;
    lookedAt = performance.now();
    left = await heal(session, left);
  }

  /** The tasks that are meant, those included that are about to come out of an outbox. */
  async function select(selector: TaskSelector): Promise<MongoDocument> {
    if (!isNested) await deliverSpawned(session);
    return selected(selector);
  }

  /** The same for a listing. */
  async function match(filter: TaskFilter): Promise<MongoDocument> {
    if (!isNested) await deliverSpawned(session);
    return matching(filter, filter.leased === undefined ? 0 : await clock.now());
  }

  /** The last task that a page looks at, if there are more. */
  async function endOfPage(filter: TaskFilter, from: MongoDocument): Promise<string | undefined> {
    if (!isFiltered(filter)) return undefined;
    const all = { ...(typeof filter.group === 'string' && { group: filter.group }), ...from };
    const order = { sort: { _id: 1 }, skip: listingHorizon - 1, limit: 1, projection: { _id: 1 } };
    return (await tasks.find(all, order))[0]?._id;
  }

  return {
    limits,

    now: () => clock.now(),

    async insert(records) {
      const first = await numbers.unique(records.length);
      const documents = records.map((record, index) => toDocument(record, first + index));
      const places = await occupy(session, documents, true);
      return documents.map((each) => (places.get(each) === each.serial ? 'inserted' : 'exists'));
    },

    async read(ids) {
      return (await tasks.find(selected({ ids }))).map(toRecord);
    },

    async update(id, change, expected) {
      const revision = await numbers.unique();
      const one = { _id: id, ...there };
      const count = await tasks.update({ ...one, revision: expected }, updated(change, revision));
      if (count > 0) return 'updated';
      const [task] = await tasks.find(one, { projection: { revision: 1 } });
      if (!task) return 'missing';
      // The driver may have made the call again, whose first answer was lost.
      return task.revision === revision ? 'updated' : 'conflict';
    },

    async list({ after, limit, ...filter }: ListRequest) {
      const where = await match(filter);
      const from = after === undefined ? {} : { _id: { $gt: after } };
      const last = await endOfPage(filter, from);
      const range = { ...from._id, ...(last !== undefined && { $lte: last }) };
      const found = await tasks.find(
        { ...where, ...(Object.keys(range).length > 0 && { _id: range }) },
        { sort: { _id: 1 }, limit: limit + 1 },
      );
      return toPage(found, limit, toRecord, ({ _id }) => _id, last);
    },

    async count(filter) {
      const where = await match(filter);
      return tasks.call((collection, options) => collection.countDocuments(where, options));
    },

    async remove(selector) {
      const meant = await select(selector);
      // All at once, or what is inserted meanwhile might be removed as well.
      const count = await tasks.update(meant, removed());
      if (count === 0) return 0;
      // Those that have something in their outbox stay until it is delivered, but are gone for everybody.
      const rest = {
        ...('ids' in selector && { _id: { $in: selector.ids } }),
        ...{ pending: { $gte: Pending.other }, status: 'removed', outbox: { $exists: false } },
      };
      await tasks.remove(rest);
      return count;
    },

    async setPaused(selector, isPaused, at) {
      const now = isPaused ? null : (at ?? (await clock.now()));
      const others = { ...(await select(selector)), paused: !isPaused };
      return tasks.update(others, paused(isPaused, now));
    },

    async claim(request) {
      await healAtTimes();
      return claimFrom(session, dueTasks, request);
    },

    async extend(leases, leaseMs, at) {
      const expiresAt = (at ?? (await clock.now())) + leaseMs;
      const held = fenced(leases, 'token');
      await tasks.update(held, extended(expiresAt));
      const found = await tasks.find({ _id: held._id }, { projection: { token: 1, revision: 1 } });
      const current = new Map(found.map((task) => [task._id, task]));
      return leases.map(({ id, token }) => {
        const task = current.get(id);
        return task?.token === token ? task.revision : 'lost';
      });
    },

    async settle(settlements) {
      const answers = await settle(session, settlements);
      // What was settled is settled, whatever comes of this; the next call tries again.
      if (!isNested) await forget(session, settlements).catch(() => {});
      return answers;
    },

    async release(leases: readonly Release[]) {
      const by = crypto.randomUUID();
      const held = fenced(leases, 'token');
      const count = await tasks.update(held, released(leases, by));
      if (count === leases.length) return leases.map(() => 'released');
      const own = { _id: held._id, releasedBy: by };
      const found = await tasks.find(own, { projection: { _id: 1 } });
      const ids = new Set(found.map(({ _id }) => _id));
      return leases.map(({ id }) => (ids.has(id) ? 'released' : 'lost'));
    },

    async history(taskId, limit) {
      await deliverOf(session, taskId);
      return readHistory(session, taskId, limit);
    },

    watcher,
  };
}
