import type { LeaseRef, TaskFilter, TaskRecord, TaskSelector } from '@sched/core';
import type { StoreCalls } from '@sched/core/adapter';
import { checkCursor, isFiltered, shardOf } from '@sched/core/adapter';
import { claim } from './claims.js';
import type { Script } from './lua.js';
import type { Settings } from './options.js';
import { deliverOutbox } from './outbox.js';
import type { Argument } from './records.js';
import {
  decodeEntry,
  decodeTasks,
  encodeEntry,
  encodeGroup,
  encodeMembers,
  encodeMoment,
  encodeNew,
  encodeSettlement,
} from './records.js';
import * as scripts from './scripts.js';
import type { Session } from './session.js';

/** About how many tasks one script deals with at most, so that the server is soon free for others. */
const batchSize = 250;
/** How many scripts one page of a listing runs at most. */
const scriptsPerPage = 20;
/** Redis is not asked to forget what is to be kept for longer, in milliseconds: some 30 years. */
const maxExpiryMs = 1e12;

interface Item {
  readonly id: string;
}

type Found = [records: (string | null)[], bodies: (string | null)[]];
type Walked = [count: number | string, next: string, to: string, now: string];
type Page = [...walked: Walked, ids: string[], ...found: Found];

/** The calls of the contract, as scripts. */
export function createCalls(session: Session, settings: Settings): StoreCalls {
  const { run, watcher } = session;
  const { clock, historyLimit, historyMaxAgeMs } = settings;
  const shards = [...Array(session.shards).keys()];
  /** A call is for all shards, but few enough that it can be for one. */
  const maxItems = batchSize * Math.min(session.shards, 16);

  /** What scripts are told of the time: what the injected clock says, or nothing if they are to ask the server. */
  const timeOf = (at = clock?.()) => (at === undefined ? '' : String(at));

  /** The items of each shard, in their order. */
  const byShard = <T extends Item>(items: readonly T[]) => [
    ...Map.groupBy(items, ({ id }) => shardOf(id, session.shards)),
  ];

  /** Does something with the items of each shard, at the same time. @returns what it answers, in their order */
  async function inShards<T extends Item, R>(
    items: readonly T[],
    work: (shard: number, part: readonly T[]) => Promise<readonly R[]>,
  ): Promise<readonly R[]> {
    if (session.shards === 1) return work(0, items);
    const answers = new Map<T, R>();
    await Promise.all(
      byShard(items).map(async ([shard, part]) => {
        const answered = await work(shard, part);
        for (const [index, item] of part.entries()) answers.set(item, answered[index] as R);
      }),
    );
    return items.map((item) => answers.get(item) as R);
  }

  /** Runs a script that is told of the tasks how many they are, their ids, and what there is to say of each. */
  const onEach = <T extends Item, R>(
    script: Script,
    items: readonly T[],
    encode: (item: T) => readonly Argument[],
    at?: number,
    header: readonly Argument[] = [],
  ) => {
    const time = timeOf(at);
    return inShards(items, (shard, part) =>
      run<R[]>(script, shard, time, [...header, ...countAndIds(part), ...part.flatMap(encode)]),
    );
  };

  /** Has a script go through tasks of a shard. @returns how many it counted */
  async function walk(script: Script, shard: number, time: string, args: readonly Argument[]) {
    let [sum, from, to, now] = [0, '0', '', time];
    do {
      const walked = await run<Walked>(script, shard, now, [from, to, ...args]);
      sum += Number(walked[0]);
      [, from, to, now] = walked;
    } while (from !== '');
    return sum;
  }

  function change(action: string, selector: TaskSelector, time: string): Promise<number> {
    const args = [encodeGroup('group' in selector ? selector.group : null), batchSize, action];
    if (!('ids' in selector)) {
      return sumOf(shards.map((shard) => walk(scripts.change, shard, time, args)));
    }
    const parts = byShard(selector.ids.map((id) => ({ id })));
    return sumOf(
      parts.map(([shard, part]) =>
        walk(scripts.change, shard, time, [...args, ...part.map(({ id }) => id)]),
      ),
    );
  }

  return {
    limits: {
      unstorable: 'loneSurrogates',
      maxBodyBytes: 8 * 1024 * 1024,
      maxItems,
      maxSize: 1024 * 1024,
    },

    now: async () => Number(timeOf() || (await run(scripts.clock, 0, '', []))),

    insert: (records) => onEach(scripts.insert, records, encodeNew),

    async read(ids) {
      const parts = byShard(ids.map((id) => ({ id }))).map(async ([shard, part]) => {
        const own = part.map(({ id }) => id);
        const [records, bodies] = await run<Found>(scripts.get, shard, '', own);
        return decodeTasks(own, records, bodies);
      });
      return (await Promise.all(parts)).flat();
    },

    update(id, change, revision) {
      const args = [id, revision, ...encodeMembers(change)];
      return run(scripts.update, shardOf(id, session.shards), timeOf(), args);
    },

    async list({ after = '0.0', limit, ...filter }) {
      checkCursor(after, /^\d{1,3}\.\d{1,16}$/);
      const [first, serial = ''] = after.split('.');
      const tasks: TaskRecord[] = [];
      let [shard, from, now] = [Number(first), serial, timeOf()];
      for (let count = 0; shard < session.shards; count++) {
        if (tasks.length >= limit || count === scriptsPerPage) {
          return { tasks, next: `${shard}.${from}` };
        }
        const wanted = Math.min(batchSize, limit - tasks.length);
        // Where nothing else is asked for, whatever the index gives matches.
        const look = isFiltered(filter) ? batchSize : wanted;
        const args = [from, '', encodeGroup(filter.group), wanted, look, 1, ...conditions(filter)];
        const page = await run<Page>(scripts.list, shard, now, args);
        const [, next, , time, ids, records, bodies] = page;
        tasks.push(...decodeTasks(ids, records, bodies));
        [shard, from, now] = next === '' ? [shard + 1, '0', time] : [shard, next, time];
      }
      return { tasks, next: null };
    },

    count(filter) {
      const [group, time] = [encodeGroup(filter.group), timeOf()];
      if (!isFiltered(filter)) {
        return sumOf(shards.map((shard) => run(scripts.size, shard, time, [group])));
      }
      const args = [group, batchSize, batchSize, '', ...conditions(filter)];
      return sumOf(shards.map((shard) => walk(scripts.list, shard, time, args)));
    },

    remove: (selector) => change('remove', selector, timeOf()),

    setPaused: (selector, paused, at) => change(paused ? 'pause' : 'resume', selector, timeOf(at)),

    claim(request) {
      return claim(session, request, maxItems, timeOf());
    },

    async extend(leases, leaseMs, at) {
      const token = (lease: LeaseRef) => [`${lease.token}`];
      const found = await onEach<LeaseRef, string>(scripts.extend, leases, token, at, [leaseMs]);
      return found.map((revision) => (revision === '' ? 'lost' : Number(revision)));
    },

    settle(settlements) {
      const time = timeOf();
      const isForgotten = !clock && historyMaxAgeMs <= maxExpiryMs;
      const expiry = isForgotten ? historyMaxAgeMs : '';
      const limits = [limitOf(historyLimit), limitOf(historyMaxAgeMs), expiry];
      return inShards(settlements, async (shard, part) => {
        const [taskIds, entries, spawned]: [string[], Argument[], Argument[]] = [[], [], []];
        let isAnyElsewhere = false;
        for (const [index, { history, spawn }] of part.entries()) {
          for (const entry of history) {
            taskIds.push(entry.taskId);
            entries.push(index + 1, encodeEntry(entry));
          }
          for (const task of spawn) {
            const isElsewhere = shardOf(task.id, session.shards) !== shard;
            spawned.push(index + 1, isElsewhere ? 1 : '', task.id, ...encodeNew(task));
            isAnyElsewhere ||= isElsewhere;
          }
        }
        const own = [...limits, ...countAndIds(part), ...part.flatMap(encodeSettlement)];
        const args = [...own, taskIds.length, ...entries, ...spawned];
        type Answer = 'settled' | 'conflict' | 'lost';
        const answers = await run<Answer[]>(scripts.settle, shard, time, args, taskIds);
        if (isAnyElsewhere) await deliverOutbox(session, shard);
        return answers;
      });
    },

    release: (leases) =>
      onEach(scripts.release, leases, ({ token, deferUntil = null }) => [
        ...[`${token}`, encodeMoment(deferUntil)],
      ]),

    async history(taskId, limit) {
      const time = timeOf();
      // An entry is in the shard of the task that was settled, which need not be the one under which it is filed.
      const found = await Promise.all(
        shards.map((shard) => run<[string, string[]]>(scripts.history, shard, time, [], [taskId])),
      );
      const kept = found.flatMap(([now, entries]) =>
        entries
          .map((text) => decodeEntry(taskId, text))
          .filter(({ entry }) => entry.at >= Number(now) - historyMaxAgeMs),
      );
      // Of two shards with one id, the one that was first.
      kept.sort((a, b) => b.sequence - a.sequence);
      const byId = new Map(kept.map((each) => [each.entry.id, each]));
      return [...byId.values()]
        .sort((a, b) => b.entry.at - a.entry.at || b.sequence - a.sequence)
        .slice(0, limit)
        .map(({ entry }) => entry);
    },

    watcher,
  };
}

const countAndIds = (items: readonly Item[]) => [items.length, ...items.map(({ id }) => id)];

/** What a filter asks for beside a group that has an index. */
const conditions = ({ group, ...others }: TaskFilter) =>
  encodeMembers(group === null ? { group, ...others } : others);

const sumOf = async (counts: readonly Promise<number | string>[]) =>
  (await Promise.all(counts)).reduce((sum: number, count) => sum + Number(count), 0);

/** For a script, to which infinity is nothing. */
const limitOf = (limit: number) => (Number.isFinite(limit) ? limit : '');
