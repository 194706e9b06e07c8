import type { TaskFilter, TaskRecord, TaskSelector } from '@sched/core';
import type { StoreCalls } from '@sched/core/adapter';
import { checkCursor } from '@sched/core/adapter';
import type { Argument, Item } from './batches.js';
import { batchSize, toBatches } from './batches.js';
import { claimFrom, claimFromAll } from './claims.js';
import type { Script } from './lua.js';
import type { Settings } from './options.js';
import {
  decodeHistory,
  decodeLease,
  decodeTask,
  encodeChange,
  encodeFilter,
  encodeGroup,
  encodeMoment,
  encodeNew,
} from './records.js';
import * as scripts from './scripts.js';
import type { Session } from './session.js';
import { deliverOutbox, encodeSettlement, inTurn } from './settlements.js';

/** How many scripts one page of a listing runs at most. */
const scriptsPerPage = 20;
/** Redis is not asked to forget what is to be kept for longer, in milliseconds: some 30 years. */
const maxExpiryMs = 1e12;

type Found = [record: string | null, lease: string | null];
type Page = [next: string, ids: string[], records: string[], leases: (string | null)[]];
type Changed = [count: number | string, next: string, last: string];

/** The calls of the contract, as scripts. */
export function createCalls(session: Session, settings: Settings): StoreCalls {
  const { run, watcher } = session;
  const { clock, historyLimit, historyMaxAgeMs } = settings;
  const shards = [...Array(session.shards).keys()];

  /** The time of the injected clock, to be read once a call; nothing where scripts are to ask the server. */
  const given = () => (clock ? String(clock()) : '');

  /** The time of a call: one for all its scripts. */
  const timeOf = async (shard: number, time: string) =>
    time || run<string>(scripts.clock, shard, '', []);

  /** The time by which leases are live, which is one for all scripts of a call; nothing where it does not matter. */
  const timeFor = async ({ leased }: TaskFilter) =>
    leased === undefined ? '' : timeOf(0, given());

  /**
   * Runs a script on all items, shards at the same time and batches of one shard one after another.
   *
   * @param header arguments that go before those of the items
   * @returns what the script answers for each
   */
  async function inBatches<R>(
    script: Script,
    items: readonly Item[],
    header: readonly Argument[] = [],
  ): Promise<R[]> {
    const time = given();
    const answers = new Array<R>(items.length);
    const byShard = toBatches(items, session.shards);
    await Promise.all(
      [...byShard].map(async ([shard, batches]) => {
        const now = batches.length > 1 ? await timeOf(shard, time) : time;
        for (const { ids, args, histories, positions } of batches) {
          const all = [...header, ids.length, ...ids, ...args];
          const part = await run<R[]>(script, shard, now, all, histories);
          for (const [index, position] of positions.entries()) {
            answers[position] = part[index] as R;
          }
        }
      }),
    );
    return answers;
  }

  async function change(action: 'remove' | 'pause' | 'resume', selector: TaskSelector) {
    if ('ids' in selector) {
      const items = selector.ids.map((id) => ({ id }));
      const changed = await inBatches<number | string>(scripts.change, items, [action]);
      return sumOf(changed);
    }
    const group = encodeGroup('group' in selector ? selector.group : null);
    const start = given();
    return sumOfShards(async (shard) => {
      const time = await timeOf(shard, start);
      let [sum, from, to] = [0, '0', ''];
      do {
        const args = [action, 0, group, from, to, batchSize];
        const [count, next, last] = await run<Changed>(scripts.change, shard, time, args);
        sum += Number(count);
        [from, to] = [next, last];
      } while (from !== '');
      return sum;
    });
  }

  const sumOfShards = async (count: (shard: number) => Promise<number>) =>
    sumOf(await Promise.all(shards.map(count)));

  return {
    limits: { unstorable: 'loneSurrogates', maxBodyBytes: 8 * 1024 * 1024 },

    now: async () => Number(await timeOf(0, given())),

    insert: (records) =>
      inBatches<'inserted' | 'exists'>(
        scripts.insert,
        records.map((record) => ({ id: record.id, args: encodeNew(record) })),
      ),

    async read(ids) {
      const items = ids.map((id) => ({ id }));
      const found = await inBatches<Found>(scripts.get, items);
      return found.flatMap(([record, lease], index) =>
        record === null ? [] : [decodeTask(ids[index] ?? '', record, decodeLease(lease))],
      );
    },

    async update(id, change, revision) {
      const args = [revision, ...encodeChange(change)];
      type Answer = 'updated' | 'conflict' | 'missing';
      const [answer = 'missing'] = await inBatches<Answer>(scripts.update, [{ id, args }]);
      return answer;
    },

    async list({ after = '0.0', limit, ...filter }) {
      checkCursor(after, /^\d{1,3}\.\d{1,16}$/);
      const [first = '0', serial = '0'] = after.split('.');
      const conditions = encodeFilter(filter);
      const time = await timeFor(filter);
      const tasks: TaskRecord[] = [];
      let [shard, from] = [Number(first), serial];
      for (let count = 0; shard < session.shards; count++) {
        if (tasks.length >= limit || count === scriptsPerPage) {
          return { tasks, next: `${shard}.${from}` };
        }
        const wanted = Math.min(batchSize, limit - tasks.length);
        // Where nothing else is asked for, whatever the index gives matches.
        const look = conditions[0] === 0 ? wanted : batchSize;
        const args = [encodeGroup(filter.group), from, wanted, look, 1, ...conditions];
        const page = await run<Page>(scripts.list, shard, time, args);
        const [next, ids, records, leases] = page;
        for (const [index, id] of ids.entries()) {
          tasks.push(decodeTask(id, records[index] ?? '', decodeLease(leases[index] ?? null)));
        }
        [shard, from] = next === '' ? [shard + 1, '0'] : [shard, next];
      }
      return { tasks, next: null };
    },

    async count(filter) {
      const [group, conditions] = [encodeGroup(filter.group), encodeFilter(filter)];
      const time = await timeFor(filter);
      return sumOfShards(async (shard) => {
        if (conditions[0] === 0) return Number(await run(scripts.size, shard, '', [group]));
        let [sum, from] = [0, '0'];
        do {
          const args = [group, from, batchSize, batchSize, '', ...conditions];
          const [next, count] = await run<[string, number]>(scripts.list, shard, time, args);
          sum += Number(count);
          from = next;
        } while (from !== '');
        return sum;
      });
    },

    remove: (selector) => change('remove', selector),

    setPaused: (selector, paused) => change(paused ? 'pause' : 'resume', selector),

    claim(request) {
      watcher.note(request.queues);
      if (session.shards === 1) return claimFrom(session, 0, request, given());
      return claimFromAll(session, request, given(), async (shard) => {
        // Whoever left it behind there may be at it still, and the next claim comes by again.
        await deliverOutbox(session, shard).catch(() => {});
      });
    },

    async extend(leases, leaseMs) {
      const items = leases.map(({ id, token }) => ({ id, args: [token] }));
      const revisions = await inBatches<string>(scripts.extend, items, [leaseMs]);
      return revisions.map((revision) => (revision === '' ? 'lost' : Number(revision)));
    },

    async settle(settlements) {
      const items = settlements.map((each) => encodeSettlement(each, session.shards));
      const isForgotten = !clock && historyMaxAgeMs <= maxExpiryMs;
      const expiry = isForgotten ? historyMaxAgeMs : '';
      const isAnyKept = settlements.some(({ next }) => next);
      const limits = [limitOf(historyLimit), limitOf(historyMaxAgeMs), expiry];
      const header = [...limits, isAnyKept ? 1 : ''];
      const answers: ('settled' | 'conflict' | 'lost')[] = [];
      for (const part of inTurn(items)) {
        answers.push(...(await inBatches<(typeof answers)[0]>(scripts.settle, part, header)));
        // Not before: what is spawned is part of a settlement that was applied.
        const outboxes = new Set(part.flatMap(({ outbox }) => outbox ?? []));
        await Promise.all([...outboxes].map((shard) => deliverOutbox(session, shard)));
      }
      return answers;
    },

    release: (leases) =>
      inBatches(
        scripts.release,
        leases.map(({ id, token, deferUntil = null }) => ({
          id,
          args: [token, encodeMoment(deferUntil)],
        })),
      ),

    async history(taskId, limit) {
      const time = given();
      // An entry is in the shard of the task that was settled, which need not be the one under which it is filed.
      const found = await Promise.all(
        shards.map((shard) => run<[string, string[]]>(scripts.history, shard, time, [], [taskId])),
      );
      const kept = found.flatMap(([now, entries]) =>
        decodeHistory(taskId, entries).filter(
          ({ entry }) => entry.at >= Number(now) - historyMaxAgeMs,
        ),
      );
      // Of two shards with one id, the one that was first.
      kept.sort((a, b) => b.sequence - a.sequence);
      const byId = new Map(kept.map((each) => [each.entry.id, each]));
      return [...byId.values()]
        .sort((a, b) => b.entry.at - a.entry.at || b.sequence - a.sequence)
        .slice(0, limit)
        .map(({ entry }) => entry);
    },

    watch: (listener) => watcher.watch(listener),

    close: session.close,
  };
}

const sumOf = (counts: readonly (number | string)[]) =>
  counts.reduce((sum: number, count) => sum + Number(count), 0);

/** For a script, to which infinity is nothing. */
const limitOf = (limit: number) => (Number.isFinite(limit) ? limit : '');
