import type { Release, TaskSelector, TaskStatus } from '@sched/core';
import type { StoreCalls, TaskChange } from '@sched/core/adapter';
import { claim } from './claims.js';
import type { Change, Key } from './expressions.js';
import { absent, deletion, present, put, update } from './expressions.js';
import { IndexLag } from './index-lag.js';
import { count, history, keysOf, list, read } from './listings.js';
import type { Records, TaskItem } from './records.js';
import { idOf, limits } from './records.js';
import type { Session } from './session.js';
import { checkSettlement, settle } from './settlements.js';
import { untilAnswered } from './table.js';

const isHeld = ['#token = :token', 'attribute_exists(#owner)'];

/** The calls of the contract, most of them as one conditional write or transaction for each task. */
export function createCalls(session: Session): StoreCalls {
  const { table, records, settings, numbers } = session;
  const { clock = Date.now, maxClockSkewMs } = settings;
  const lag = new IndexLag(settings.maxIndexLagMs);

  /**
   * Does something with each task that is selected, if it is there, and in the group that is meant.
   *
   * @returns the sum of what that answers
   */
  async function each(
    selector: TaskSelector,
    work: (key: Key, conditions: readonly string[], group: string | undefined) => Promise<number>,
  ): Promise<number> {
    const group = 'group' in selector ? records.groupOf(selector.group) : undefined;
    const conditions = group === undefined ? present : [...present, '#group = :group'];
    let sum = 0;
    for await (const keys of keysOf(session, selector)) {
      const counts = await all(keys.map((key) => work(key, conditions, group)));
      sum += counts.reduce((total, count) => total + count, 0);
    }
    return sum;
  }

  return {
    limits,

    now: async () => clock(),

    async insert(tasks) {
      const now = clock();
      const first = await numbers(tasks.length);
      const inserting = tasks.map(async (task, index) => {
        const revision = first + index;
        const { isDone, item } = await table.write(put(records.encode(task, revision), absent));
        // What is there may be what the client has put there a moment ago.
        return isDone || item?.revision === revision ? 'inserted' : 'exists';
      });
      const answers = await all(inserting);
      for (const task of tasks) lag.note(task, now);
      return answers;
    },

    read: (ids) => read(session, ids),

    async update(id, change, revision) {
      const key = records.keyOf(id);
      let seen = await table.get<TaskItem>(key);
      let fresh: number | undefined;
      const answer = await untilAnswered(async () => {
        if (!seen) return 'missing';
        if (seen.revision === fresh) return 'updated';
        if (seen.revision !== revision) return 'conflict';
        fresh ??= await numbers(1);
        const { isDone, item } = await table.write(update(key, edit(records, seen, change, fresh)));
        seen = item;
        return isDone ? 'updated' : undefined;
      });
      const now = clock();
      const { runAt = 'queue' in change || 'status' in change ? now : null } = change;
      if (answer === 'updated') lag.note({ id, runAt }, now);
      return answer;
    },

    list: (request) => list(session, request, clock()),

    count: (filter) => count(session, filter, clock()),

    remove: (selector) =>
      each(selector, async (key, conditions, group) => {
        const { isDone, item, doubt } = await table.write(deletion(key, conditions, { group }));
        if (doubt && !item) throw doubt;
        return isDone ? 1 : 0;
      }),

    setPaused(selector, paused, now = clock()) {
      return each(selector, (key, conditions, group) => {
        let status: TaskStatus = 'scheduled';
        return untilAnswered(async () => {
          const change = paused ? pause : resume(status, now);
          const { isDone, item, doubt } = await table.write(
            update(key, {
              ...change,
              conditions: [...conditions, ...change.conditions],
              values: { ...change.values, group },
            }),
          );
          if (isDone) lag.note({ id: idOf(key), runAt: paused ? null : now }, now);
          if (isDone) return 1;
          const isAsAsked = item !== undefined && 'paused' in item === paused;
          if (isAsAsked && doubt) throw doubt;
          if (!item || isAsAsked || (group !== undefined && item.group !== group)) return 0;
          status = item.status;
          return undefined;
        });
      });
    },

    async claim(request) {
      const result = await claim(session, request, clock());
      for (const { id } of result.tasks) lag.found(id);
      if (result.tasks.length === request.limit) return result;
      return { ...result, nextWakeAt: lag.soonest(result.nextWakeAt, result.now) };
    },

    extend(leases, leaseMs, now = clock()) {
      const expiresAt = now + leaseMs;
      const set = { expiresAt, wakeAt: expiresAt + maxClockSkewMs };
      const extending = leases.map(async ({ id, token }) => {
        const change = { conditions: isHeld, set, values: { token } };
        const { isDone, item } = await table.write(update(records.keyOf(id), change), 'ALL_NEW');
        return isDone && item ? item.revision : 'lost';
      });
      return all(extending);
    },

    async settle(settlements) {
      const now = clock();
      settlements.forEach(checkSettlement);
      const answers = await all(settlements.map((each) => settle(session, each, now)));
      for (const { id, next, spawn } of settlements) {
        lag.note({ id, runAt: next?.runAt ?? null }, now);
        for (const task of spawn) lag.note(task, now);
      }
      return answers;
    },

    async release(leases) {
      const releasing = leases.map((lease) => {
        const key = records.keyOf(lease.id);
        let seen: TaskItem | undefined;
        return untilAnswered(async () => {
          const { isDone, item, doubt } = await table.write(update(key, giveBack(lease, seen)));
          if (isDone) return 'released';
          if (item?.token === lease.token && item.owner === undefined && doubt) throw doubt;
          if (item?.token !== lease.token || item.owner === undefined) return 'lost';
          seen = item;
          return undefined;
        });
      });
      const answers = await all(releasing);
      const now = clock();
      for (const { id, deferUntil = now } of leases) lag.note({ id, runAt: deferUntil }, now);
      return answers;
    },

    history: (taskId, limit) => history(session, taskId, limit, clock()),

    close: session.close,
  };
}

/** Fails only after all are done with, so that nothing of a call that failed comes later. */
async function all<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

/** @param revision that it gets */
function edit(
  records: Records,
  seen: TaskItem,
  { name, group, status = seen.status, runAt, body, ...change }: TaskChange,
  revision: number,
): Change {
  const { paused, owner } = seen;
  const queue = change.queue === undefined ? seen.queue : records.queueOf(idOf(seen), change.queue);
  return {
    conditions: [
      '#revision = :expected',
      `attribute_${paused ? '' : 'not_'}exists(#paused)`,
      `attribute_${owner === undefined ? 'not_' : ''}exists(#owner)`,
    ],
    set: {
      ...{ name, queue, status, runAt, body, revision },
      group: typeof group === 'string' ? records.groupOf(group) : group,
      due: status === 'scheduled' && !paused ? queue : null,
      // As long as it is leased, the end of the lease says when it is to wake.
      wakeAt: owner === undefined ? runAt : undefined,
    },
    values: { expected: seen.revision },
  };
}

const pause: Change = {
  conditions: ['attribute_not_exists(#paused)'],
  set: { paused: true, due: null },
};

/** @param status that the task is expected to have */
function resume(status: TaskStatus, now: number): Change {
  const isScheduled = status === 'scheduled';
  return {
    conditions: ['attribute_exists(#paused)', `#status ${isScheduled ? '=' : '<>'} :scheduled`],
    set: { paused: null, resumedAt: now },
    derive: isScheduled ? ['#due = #queue'] : [],
    values: { scheduled: 'scheduled' },
  };
}

/** @param seen the task, where it was not as expected: to run before what it is deferred to */
function giveBack({ token, deferUntil }: Release, seen: TaskItem | undefined): Change {
  const isDeferred = deferUntil !== undefined && (!seen || (seen.runAt ?? deferUntil) < deferUntil);
  const order = isDeferred
    ? '#runAt < :deferUntil'
    : '(attribute_not_exists(#runAt) OR #runAt >= :deferUntil)';
  return {
    conditions: deferUntil === undefined ? isHeld : [...isHeld, order],
    set: {
      ...{ owner: null, expiresAt: null },
      ...(isDeferred && { runAt: deferUntil, wakeAt: deferUntil }),
    },
    derive: [
      '#deliveries = #deliveries - :one',
      ...(isDeferred ? [] : ['#wakeAt = if_not_exists(#runAt, :zero)']),
    ],
    values: { token, deferUntil, one: 1, zero: 0 },
  };
}
