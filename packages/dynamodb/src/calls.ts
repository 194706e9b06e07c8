import type { Release, TaskSelector, TaskStatus } from '@sched/core';
import type { StoreCalls, TaskChange } from '@sched/core/adapter';
import { claim } from './claims.js';
import type { Change, Key, Write } from './expressions.js';
import { absent, present, update, write } from './expressions.js';
import { IndexLag } from './index-lag.js';
import { count, history, keysOf, list } from './listings.js';
import type { Records, TaskItem } from './records.js';
import { idOf, limits } from './records.js';
import type { Session } from './session.js';
import { untilAnswered } from './session.js';
import { checkSettlement, settle } from './settlements.js';

const isHeld = '#token = :token AND attribute_exists(#owner)';

/** The calls of the contract, most of them as one conditional write or transaction for each task. */
export function createCalls(session: Session): StoreCalls {
  const { records, settings } = session;
  const { clock = Date.now, maxClockSkewMs } = settings;
  const lag = new IndexLag(settings.maxIndexLagMs);

  /**
   * Does something with each task that is selected.
   *
   * @param work is told the condition that it is there, and in the group that is meant
   * @returns the sum of what that answers
   */
  async function each(
    selector: TaskSelector,
    work: (key: Key, there: string, values: { readonly group?: string }) => Promise<number>,
  ): Promise<number> {
    const values = 'group' in selector ? { group: records.groupOf(selector.group) } : {};
    const there = 'group' in selector ? `${present} AND #group = :group` : present;
    let sum = 0;
    for await (const keys of keysOf(session, selector)) {
      for (const count of await all(keys.map((key) => work(key, there, values)))) sum += count;
    }
    return sum;
  }

  return {
    limits,

    now: async () => clock(),

    async insert(tasks) {
      const now = clock();
      const first = await session.numbers(tasks.length);
      const inserting = tasks.map(async (task, index) => {
        const revision = first + index;
        const { isDone, item } = await session.write(
          write('Put', records.encode(task, revision), absent),
        );
        // What is there may be what the client has put there a moment ago.
        return isDone || item?.revision === revision ? 'inserted' : 'exists';
      });
      const answers = await all(inserting);
      for (const task of tasks) lag.note(task, now);
      return answers;
    },

    read: (ids) => session.read(ids),

    async update(id, change, revision) {
      let seen = await session.get(id);
      let fresh: number | undefined;
      const answer = await untilAnswered(async () => {
        if (!seen) return 'missing';
        if (seen.revision === fresh) return 'updated';
        if (seen.revision !== revision) return 'conflict';
        fresh ??= await session.numbers(1);
        const { isDone, item } = await session.write(edit(records, seen, change, fresh));
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
      each(selector, async (key, there, values) => {
        const { isDone, item, doubt } = await session.write(write('Delete', key, there, values));
        if (doubt && !item) throw doubt;
        return isDone ? 1 : 0;
      }),

    setPaused(selector, paused, now = clock()) {
      return each(selector, (key, there, { group }) => {
        let status: TaskStatus = 'scheduled';
        return untilAnswered(async () => {
          const { condition, ...change } = paused ? pause : resume(now, status);
          const { isDone, item, doubt } = await session.write(
            update(key, {
              ...change,
              condition: `${there} AND ${condition}`,
              values: { group, scheduled: 'scheduled' },
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
        const change = { condition: isHeld, set, values: { token } };
        const { isDone, item } = await session.write(update(records.keyOf(id), change), 'ALL_NEW');
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
          const { isDone, item, doubt } = await session.write(update(key, giveBack(lease, seen)));
          if (isDone) return 'released';
          if (item?.token !== lease.token) return 'lost';
          if (item.owner === undefined && doubt) throw doubt;
          seen = item;
          return item.owner === undefined ? 'lost' : undefined;
        });
      });
      const answers = await all(releasing);
      const now = clock();
      for (const { id, deferUntil = now } of leases) lag.note({ id, runAt: deferUntil }, now);
      return answers;
    },

    history: (taskId, limit) => history(session, taskId, limit, clock()),
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
): Write {
  const { pk, sk, paused, owner } = seen;
  const queue = change.queue === undefined ? seen.queue : records.queueOf(idOf(seen), change.queue);
  const isPaused = `attribute_${paused ? '' : 'not_'}exists(#paused)`;
  const isLeased = `attribute_${owner === undefined ? 'not_' : ''}exists(#owner)`;
  return update(
    { pk, sk },
    {
      condition: `#revision = :expected AND ${isPaused} AND ${isLeased}`,
      set: {
        ...{ name, queue, status, runAt, body, revision },
        group: typeof group === 'string' ? records.groupOf(group) : group,
        due: status === 'scheduled' && !paused ? queue : null,
        // As long as it is leased, the end of the lease says when it is to wake.
        wakeAt: owner === undefined ? runAt : undefined,
      },
      values: { expected: seen.revision },
    },
  );
}

const pause: Change = {
  condition: 'attribute_not_exists(#paused)',
  set: { paused: true, due: null },
};

/** @param status that the task is expected to have */
function resume(now: number, status: TaskStatus): Change {
  const isScheduled = status === 'scheduled';
  return {
    condition: `attribute_exists(#paused) AND #status ${isScheduled ? '=' : '<>'} :scheduled`,
    set: { paused: null, resumedAt: now },
    derive: isScheduled ? ['#due = #queue'] : [],
  };
}

/** @param seen the task, where it was not as expected: to run before what it is deferred to */
function giveBack({ token, deferUntil }: Release, seen: TaskItem | undefined): Change {
  const isDeferred = deferUntil !== undefined && (!seen || (seen.runAt ?? deferUntil) < deferUntil);
  const order = isDeferred
    ? '#runAt < :deferUntil'
    : '(attribute_not_exists(#runAt) OR #runAt >= :deferUntil)';
  return {
    condition: deferUntil === undefined ? isHeld : `${isHeld} AND ${order}`,
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
