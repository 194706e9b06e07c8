import type {
  ClaimRequest,
  ClaimResult,
  DataStore,
  DataStoreCapabilities,
  HistoryEntry,
  LeaseRef,
  ListRequest,
  ListResult,
  NewTaskRecord,
  Release,
  Settlement,
  TaskFilter,
  TaskRecord,
  TaskSelector,
  WakeUp,
} from '@sched/core';
import { SchedError } from '@sched/core';
import type { Argument, Item } from './batches.js';
import { batchSize, toBatches } from './batches.js';
import { claimFrom, claimFromAll } from './claims.js';
import type { Script } from './lua.js';
import type { RedisDataStoreOptions, Settings } from './options.js';
import { readOptions } from './options.js';
import {
  checkText,
  decodeHistory,
  decodeTask,
  encodeChange,
  encodeFilter,
  encodeNew,
  prefixOf,
} from './records.js';
import * as scripts from './scripts.js';
import type { Session } from './session.js';
import { openSession } from './session.js';
import { deliverOutbox, encodeSettlement, inTurn } from './settlements.js';

/** How many scripts one page of a listing runs at most. */
const scriptsPerPage = 20;
/** Redis is not asked to forget what is to be kept for longer, in milliseconds: some 30 years. */
const maxExpiryMs = 1e12;

/**
 * Tasks in Redis or Valkey: one server, one watched by Sentinels, or a cluster. Any number of processes may share
 * them. The store's clock is the server's; with several shards in a cluster, that of each shard's server.
 */
export class RedisDataStore implements DataStore {
  readonly name = 'redis';
  readonly capabilities: DataStoreCapabilities = {
    history: true,
    watch: true,
    transactions: false,
    processes: true,
  };

  readonly #settings: Settings;
  #opening: Promise<Session> | undefined;
  #session: Session | undefined;

  /** @throws SchedError `SCHED_STORE_CONFIG` when an option cannot be */
  constructor(options: RedisDataStoreOptions) {
    this.#settings = readOptions(options);
  }

  async open(): Promise<void> {
    if (!this.#opening) {
      const opening = openSession(this.#settings);
      this.#opening = opening;
      opening.then(
        (session) => {
          if (this.#opening === opening) this.#session = session;
        },
        () => {
          if (this.#opening === opening) this.#opening = undefined;
        },
      );
    }
    await this.#opening;
  }

  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    this.#session = undefined;
    const session = await opening?.catch(() => undefined);
    await session?.close();
  }

  async now(): Promise<number> {
    const session = this.#open();
    return Number(await timeOf(session, 0, this.#time()));
  }

  async insert(records: readonly NewTaskRecord[]): Promise<('inserted' | 'exists')[]> {
    const items = records.map((record) => ({ id: record.id, args: encodeNew(record) }));
    return this.#inBatches(scripts.insert, items);
  }

  async get(ids: readonly string[]): Promise<(TaskRecord | undefined)[]> {
    const items = ids.map(toItem);
    const found = await this.#inBatches<[string | null, string | null]>(scripts.get, items);
    return found.map(([envelope, body], index) =>
      envelope === null ? undefined : decodeTask(ids[index] ?? '', envelope, body ?? ''),
    );
  }

  async update(
    id: string,
    change: Partial<Omit<NewTaskRecord, 'id' | 'paused'>>,
    expected: { readonly revision: number },
  ): Promise<'updated' | 'conflict' | 'missing'> {
    const args = [id, expected.revision, encodeChange(change)];
    if (change.body !== undefined) args.push(change.body);
    const [answer = 'missing'] = await this.#inBatches<'updated' | 'conflict' | 'missing'>(
      scripts.update,
      [{ id, args }],
    );
    return answer;
  }

  async list({ after = '0.0', limit, ...filter }: ListRequest): Promise<ListResult> {
    const session = this.#open();
    if (!/^\d{1,3}\.\d{1,16}$/.test(after)) {
      throw new SchedError('SCHED_ARGUMENT_INVALID', `after is not the next of a page: ${after}.`);
    }
    const [first = '0', serial = '0'] = after.split('.');
    const conditions = encodeFilter(filter);
    const time = await this.#timeFor(session, filter);
    const tasks: TaskRecord[] = [];
    let [shard, from] = [Number(first), serial];
    for (let count = 0; shard < session.shards; count++) {
      if (tasks.length >= limit || count === scriptsPerPage) {
        return { tasks, next: `${shard}.${from}` };
      }
      const wanted = Math.min(batchSize, limit - tasks.length);
      // Where nothing else is asked for, whatever the index gives matches.
      const look = conditions === '{}' ? wanted : batchSize;
      const args = [prefixOf(filter.group), from, wanted, look, conditions, 1];
      const page = await session.run<Page>(scripts.list, shard, time, args);
      const [next, ids, envelopes, bodies] = page;
      for (const [index, id] of ids.entries()) {
        tasks.push(decodeTask(id, envelopes[index] ?? '', bodies[index] ?? ''));
      }
      [shard, from] = next === '' ? [shard + 1, '0'] : [shard, next];
    }
    return { tasks, next: null };
  }

  async count(filter: TaskFilter): Promise<number> {
    const [prefix, conditions] = [prefixOf(filter.group), encodeFilter(filter)];
    const time = await this.#timeFor(this.#open(), filter);
    return this.#sumOfShards(async (session, shard) => {
      if (conditions === '{}') return Number(await session.run(scripts.size, shard, '', [prefix]));
      let [sum, from] = [0, '0'];
      do {
        const args = [prefix, from, batchSize, batchSize, conditions, ''];
        const [next, count] = await session.run<[string, number]>(scripts.list, shard, time, args);
        sum += Number(count);
        from = next;
      } while (from !== '');
      return sum;
    });
  }

  async remove(selector: TaskSelector): Promise<number> {
    return this.#change('remove', selector);
  }

  async setPaused(selector: TaskSelector, paused: boolean): Promise<number> {
    return this.#change(paused ? 'pause' : 'resume', selector);
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    const session = this.#open();
    const time = this.#time();
    for (const text of [request.owner, ...request.queues]) checkText(text);
    for (const queue of request.queues) session.queues.add(queue);
    if (session.shards === 1) return claimFrom(session, 0, request, time);
    return claimFromAll(session, request, time, async (shard) => {
      // Whoever left it behind there may be at it still, and the next claim comes by again.
      await deliverOutbox(session, shard).catch(() => {});
    });
  }

  async extend(leases: readonly LeaseRef[], leaseMs: number): Promise<(number | 'lost')[]> {
    const revisions = await this.#inBatches<string>(
      scripts.extend,
      leases.map(({ id, token }) => ({ id, args: [id, token] })),
      [leaseMs],
    );
    return revisions.map((revision) => (revision === '' ? 'lost' : Number(revision)));
  }

  async settle(settlements: readonly Settlement[]): Promise<('settled' | 'conflict' | 'lost')[]> {
    const session = this.#open();
    const items = settlements.map((each) => encodeSettlement(each, session.shards));
    const { historyLimit, historyMaxAgeMs, clock } = this.#settings;
    const isForgotten = !clock && historyMaxAgeMs <= maxExpiryMs;
    const answers: ('settled' | 'conflict' | 'lost')[] = [];
    for (const part of inTurn(items)) {
      const settled = await this.#inBatches<'settled' | 'conflict' | 'lost'>(scripts.settle, part, [
        ...[limitOf(historyLimit), limitOf(historyMaxAgeMs), isForgotten ? historyMaxAgeMs : ''],
      ]);
      answers.push(...settled);
      // Not before: what is spawned is part of a settlement that was applied.
      const outboxes = new Set(part.flatMap(({ outbox }) => outbox ?? []));
      await Promise.all([...outboxes].map((shard) => deliverOutbox(session, shard)));
    }
    return answers;
  }

  async release(leases: readonly Release[]): Promise<('released' | 'lost')[]> {
    const items = leases.map(({ id, token, deferUntil = '' }) => ({
      id,
      args: [id, token, deferUntil],
    }));
    return this.#inBatches(scripts.release, items);
  }

  async history(taskId: string, limit: number): Promise<HistoryEntry[]> {
    const session = this.#open();
    const { historyLimit, historyMaxAgeMs } = this.#settings;
    const time = this.#time();
    checkText(taskId);
    // An entry is in the shard of the task that was settled, which need not be the one under which it is filed.
    const shards = await Promise.all(
      shardsOf(session).map((shard) =>
        session.run<[string, string[]]>(scripts.history, shard, time, [taskId], [taskId]),
      ),
    );
    return shards
      .flatMap(([now, found]) =>
        decodeHistory(taskId, found).filter(
          ({ entry }) => entry.at >= Number(now) - historyMaxAgeMs,
        ),
      )
      .sort((a, b) => b.entry.at - a.entry.at || b.sequence - a.sequence)
      .slice(0, Math.min(limit, historyLimit))
      .map(({ entry }) => entry);
  }

  async watch(listener: (wakeUp: WakeUp) => void): Promise<() => Promise<void>> {
    return this.#open().watch(listener);
  }

  withTransaction(): DataStore {
    throw new SchedError(
      'SCHED_STORE_UNSUPPORTED',
      'The Redis store has no transactions. Schedule after your own work has succeeded, or use a store on the database in which that work is done.',
    );
  }

  #open(): Session {
    if (!this.#session) {
      throw new SchedError(
        'SCHED_STORE_CLOSED',
        'The Redis store is not open. Call open() first, or start the scheduler that uses it.',
      );
    }
    return this.#session;
  }

  /** The time of the injected clock, to be read once a call; nothing where scripts are to ask the server. */
  #time(): string {
    const { clock } = this.#settings;
    return clock ? String(clock()) : '';
  }

  /** The time by which leases are live, which is one for all scripts of a call; nothing where it does not matter. */
  async #timeFor(session: Session, { leased }: TaskFilter): Promise<string> {
    return leased === undefined ? '' : timeOf(session, 0, this.#time());
  }

  /**
   * Runs a script on all items, shards at the same time and batches of one shard one after another.
   *
   * @param header arguments that go before those of the items
   * @returns what the script answers for each
   */
  async #inBatches<R>(
    script: Script,
    items: readonly Item[],
    header: readonly Argument[] = [],
  ): Promise<R[]> {
    const session = this.#open();
    // All of them first: what is refused has changed nothing.
    for (const arg of items.flatMap((item) => item.args))
      if (typeof arg === 'string') checkText(arg);
    const time = this.#time();
    const answers = new Array<R>(items.length);
    const byShard = toBatches(items, session.shards);
    await Promise.all(
      [...byShard].map(async ([shard, batches]) => {
        const now = batches.length > 1 ? await timeOf(session, shard, time) : time;
        for (const { items, positions } of batches) {
          const args = [...header, ...items.flatMap((item) => item.args)];
          const histories = new Set(items.flatMap((item) => item.histories ?? []));
          const part = await session.run<R[]>(script, shard, now, args, [...histories]);
          for (const [index, position] of positions.entries()) {
            answers[position] = part[index] as R;
          }
        }
      }),
    );
    return answers;
  }

  async #change(action: 'remove' | 'pause' | 'resume', selector: TaskSelector): Promise<number> {
    if ('ids' in selector) {
      const items = selector.ids.map(toItem);
      const changed = await this.#inBatches<number | string>(scripts.change, items, [action, '']);
      return changed.reduce((sum: number, count) => sum + Number(count), 0);
    }
    const prefix = prefixOf('group' in selector ? selector.group : null);
    const given = this.#time();
    return this.#sumOfShards(async (session, shard) => {
      const time = await timeOf(session, shard, given);
      let [sum, from, to] = [0, '0', ''];
      do {
        const args = [action, prefix, from, to, batchSize];
        const [count, next, last] = await session.run<Changed>(scripts.change, shard, time, args);
        sum += Number(count);
        [from, to] = [next, last];
      } while (from !== '');
      return sum;
    });
  }

  async #sumOfShards(count: (session: Session, shard: number) => Promise<number>): Promise<number> {
    const session = this.#open();
    const counts = await Promise.all(shardsOf(session).map((shard) => count(session, shard)));
    return counts.reduce((sum, each) => sum + each, 0);
  }
}

type Page = [next: string, ids: string[], envelopes: string[], bodies: string[]];
type Changed = [count: number | string, next: string, last: string];

const toItem = (id: string): Item => ({ id, args: [id] });

const shardsOf = ({ shards }: Session) => [...Array(shards).keys()];

/** For a script, to which infinity is nothing. */
const limitOf = (limit: number) => (Number.isFinite(limit) ? limit : '');

/** The time of a call: one for all its scripts. */
async function timeOf(session: Session, shard: number, time: string): Promise<string> {
  return time || session.run<string>(scripts.clock, shard, '', []);
}
