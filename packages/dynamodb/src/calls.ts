import type { NewTaskRecord, TaskSelector } from '@sched/core';
import type { StoreCalls } from '@sched/core/adapter';
import { claim } from './claims.js';
import { extend, insert, release, remove, setPaused, update } from './edits.js';
import { eachInOrder } from './in-order.js';
import { IndexLag } from './index-lag.js';
import { count, history, keysOf, list, read } from './listings.js';
import type { Key } from './records.js';
import { idOf, limits } from './records.js';
import type { Session } from './session.js';
import { checkSettlement, putHistory, settle } from './settlements.js';

/** The calls of the contract, most of them as one conditional write or transaction for each task. */
export function createCalls(session: Session): StoreCalls {
  const { records, settings } = session;
  const { clock = Date.now } = settings;
  const lag = new IndexLag(settings.maxIndexLagMs);

  /** Does something with each task that is selected. @returns the sum of what that answers */
  async function each(
    selector: TaskSelector,
    work: (key: Key, group?: string) => Promise<number>,
  ): Promise<number> {
    const all = async (keys: readonly Key[], group?: string) => {
      const results = await Promise.allSettled(keys.map((key) => work(key, group)));
      return results.reduce((sum, result) => {
        if (result.status === 'rejected') throw result.reason;
        return sum + result.value;
      }, 0);
    };
    if ('ids' in selector) return all(selector.ids.map((id) => records.keyOf(id)));
    const group = 'group' in selector ? selector.group : undefined;
    let sum = 0;
    for await (const keys of keysOf(session, group)) {
      sum += await all(keys, group === undefined ? undefined : records.groupOf(group));
    }
    return sum;
  }

  return {
    limits,

    now: async () => clock(),

    async insert(tasks) {
      const now = clock();
      const first = await session.numbers(tasks.length);
      const answers = await eachInOrder(tasks, idsOf, (record, index) =>
        insert(session, record, first + index),
      );
      for (const record of tasks) lag.note(record.id, dueAt(record), now);
      return answers;
    },

    read: (ids) => read(session, ids),

    async update(id, change, revision) {
      const answer = await update(session, id, change, revision);
      const now = clock();
      const { runAt = 'queue' in change || 'status' in change ? now : null } = change;
      if (answer === 'updated') lag.note(id, runAt, now);
      return answer;
    },

    list: (request) => list(session, request, clock()),

    count: (filter) => count(session, filter, clock()),

    remove: (selector) => each(selector, (key, group) => remove(session, key, group)),

    setPaused(selector, paused) {
      const now = clock();
      return each(selector, async (key, group) => {
        const changed = await setPaused(session, key, paused, now, group);
        if (changed > 0) lag.note(idOf(key), paused ? null : now, now);
        return changed;
      });
    },

    async claim(request) {
      const result = await claim(session, request, clock());
      const { tasks, now, nextWakeAt } = result;
      for (const { id } of tasks) lag.found(id);
      if (tasks.length === request.limit) return result;
      return { ...result, nextWakeAt: lag.soonest(nextWakeAt, now) };
    },

    extend(leases, leaseMs) {
      const now = clock();
      return eachInOrder(leases, idsOf, (lease) => extend(session, lease, leaseMs, now));
    },

    async settle(settlements) {
      const now = clock();
      settlements.forEach(checkSettlement);
      // Before any is settled, so that entries come in the order of this call.
      const history = settlements.map((each) => putHistory(session, each, now));
      const answers = await eachInOrder(settlements, idsOf, (each, index) =>
        settle(session, each, history[index] ?? []),
      );
      for (const { id, next, spawn } of settlements) {
        lag.note(id, next?.runAt ?? null, now);
        for (const task of spawn) lag.note(task.id, dueAt(task), now);
      }
      return answers;
    },

    async release(leases) {
      const answers = await eachInOrder(leases, idsOf, (lease) => release(session, lease));
      const now = clock();
      for (const { id, deferUntil = now } of leases) lag.note(id, deferUntil, now);
      return answers;
    },

    history: (taskId, limit) => history(session, taskId, limit, clock()),

    close: session.close,
  };
}

const dueAt = ({ paused, runAt }: NewTaskRecord) => (paused ? null : runAt);

interface WithSpawn {
  readonly id: string;
  readonly spawn?: readonly { readonly id: string }[];
}

const idsOf = ({ id, spawn = [] }: WithSpawn) => [id, ...spawn.map((task) => task.id)];
