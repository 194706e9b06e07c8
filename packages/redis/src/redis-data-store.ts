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
import { batchSize, toBatches } from './batches.js';
import { claimFrom, claimFromAll } from './claims.js';
import type { Script } from './lua.js';
import type { RedisDataStoreOptions, Settings } from './options.js';
import { readOptions } from './options.js';
import {
  checkBody,
  decodeTask,
  encodeChange,
  encodeFilter,
  encodeNew,
  prefixOf,
} from './records.js';
import * as scripts from './scripts.js';
import type { Session } from './session.js';
import { openSession } from './session.js';
import { deliver, historyKeys, settleArguments, settlementLength } from './settlements.js';

/** Runs a script on the shard of the batch, at the time of the call. */
type Run = <T>(script: Script, args: string[], more?: string[]) => Promise<T>;

/** How many scripts one page of a listing runs at most. */
const scriptsPerPage = 20;
/** Longer than this, in milliseconds, Redis is not asked to keep anything: it is some 30 years. */
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
    return Number(this.#time() || (await session.run<string>(scripts.clock, 0, '', [])));
  }

  async insert(records: readonly NewTaskRecord[]): Promise<('inserted' | 'exists')[]> {
    this.#open();
    const tasks = records.map(encodeNew);
    return this.#inBatches(tasks, lengthOf, (batch, run) =>
      run(
        scripts.insert,
        batch.flatMap(({ id, envelope, body }) => [id, envelope, body]),
      ),
    );
  }

  async get(ids: readonly string[]): Promise<(TaskRecord | undefined)[]> {
    return this.#inBatches(ids.map(toItem), noLength, async (batch, run) => {
      const wanted = batch.map(({ id }) => id);
      const [envelopes, bodies] = await run<[Found, Found]>(scripts.get, wanted);
      return wanted.map((id, index) => {
        const [envelope, body] = [envelopes[index], bodies[index]];
        return envelope ? decodeTask(id, envelope, body ?? '') : undefined;
      });
    });
  }

  async update(
    id: string,
    change: Partial<Omit<NewTaskRecord, 'id' | 'paused'>>,
    expected: { readonly revision: number },
  ): Promise<'updated' | 'conflict' | 'missing'> {
    const { body } = change;
    this.#open();
    if (body !== undefined) checkBody(body);
    const args = [id, String(expected.revision), encodeChange(change)];
    if (body !== undefined) args.push(body);
    const [answer = 'missing'] = await this.#inBatches([{ id }], noLength, async (_, run) => [
      await run<'updated' | 'conflict' | 'missing'>(scripts.update, args),
    ]);
    return answer;
  }

  async list({ after = '0.0', limit, ...filter }: ListRequest): Promise<ListResult> {
    const session = this.#open();
    if (!/^\d{1,3}\.\d{1,16}$/.test(after)) {
      throw new SchedError('SCHED_ARGUMENT_INVALID', `after is not the next of a page: ${after}.`);
    }
    const [first = '0', serial = '0'] = after.split('.');
    const { prefix, conditions } = toQuery(filter);
    const tasks: TaskRecord[] = [];
    let [shard, from] = [Number(first), serial];
    for (let count = 0; shard < session.shards; count++) {
      if (tasks.length >= limit || count === scriptsPerPage) {
        return { tasks, next: `${shard}.${from}` };
      }
      const wanted = Math.min(batchSize, limit - tasks.length);
      // Where nothing else is asked for, whatever the index gives matches.
      const look = conditions === '{}' ? wanted : batchSize;
      const args = [prefix, from, String(wanted), String(look), conditions, '1'];
      const page = await session.run<Page>(scripts.list, shard, '', args);
      const [next, ids, envelopes, bodies] = page;
      for (const [index, id] of ids.entries()) {
        tasks.push(decodeTask(id, envelopes[index] ?? '', bodies[index] ?? ''));
      }
      [shard, from] = next === '' ? [shard + 1, '0'] : [shard, next];
    }
    return { tasks, next: null };
  }

  async count(filter: TaskFilter): Promise<number> {
    const { prefix, conditions } = toQuery(filter);
    return this.#sumOfShards(async (session, shard) => {
      if (conditions === '{}') return Number(await session.run(scripts.size, shard, '', [prefix]));
      let [sum, from] = [0, '0'];
      do {
        const args = [prefix, from, String(batchSize), String(batchSize), conditions, ''];
        const [next, count] = await session.run<[string, number]>(scripts.list, shard, '', args);
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
    for (const queue of request.queues) session.queues.add(queue);
    if (session.shards === 1) return claimFrom(session, 0, request, time);
    return claimFromAll(session, request, time, async (shard) => {
      // Whoever left it behind there may be at it still, and the next claim comes by again.
      await deliver(session, shard).catch(() => {});
    });
  }

  async extend(leases: readonly LeaseRef[], leaseMs: number): Promise<(number | 'lost')[]> {
    return this.#inBatches(leases, noLength, async (batch, run) => {
      const args = batch.flatMap(({ id, token }) => [id, String(token)]);
      const revisions = await run<string[]>(scripts.extend, [String(leaseMs), ...args]);
      return revisions.map((revision) => (revision === '' ? 'lost' : Number(revision)));
    });
  }

  async settle(settlements: readonly Settlement[]): Promise<('settled' | 'conflict' | 'lost')[]> {
    const session = this.#open();
    const items = settlements.map((settlement) => ({
      ...settlement,
      spawn: settlement.spawn.map(encodeNew),
    }));
    for (const { next } of items) if (next) checkBody(next.body);
    return this.#inBatches(items, settlementLength, async (batch, run, shard) => {
      const { args, keys, goesElsewhere } = settleArguments(batch, session.shards, shard);
      const answers = await run<('settled' | 'conflict' | 'lost')[]>(
        scripts.settle,
        [...this.#historyLimits(), ...args],
        keys,
      );
      // Now and not before: what is spawned elsewhere is part of a settlement that has been applied.
      if (goesElsewhere) await deliver(session, shard);
      return answers;
    });
  }

  async release(leases: readonly Release[]): Promise<('released' | 'lost')[]> {
    return this.#inBatches(leases, noLength, (batch, run) => {
      const args = batch.flatMap(({ id, token, deferUntil = '' }) => [
        ...[id, String(token), String(deferUntil)],
      ]);
      return run(scripts.release, args);
    });
  }

  async history(taskId: string, limit: number): Promise<HistoryEntry[]> {
    const session = this.#open();
    const { historyLimit, historyMaxAgeMs } = this.#settings;
    const time = this.#time();
    const most = Math.min(limit, historyLimit);
    const maxAge = Number.isFinite(historyMaxAgeMs) ? String(historyMaxAgeMs) : '';
    const args = [String(Number.isFinite(most) ? most : -1), maxAge];
    // An entry is in the shard of the task that was settled, which need not be the one under which it is filed.
    const shards = await Promise.all(
      [...Array(session.shards).keys()].map((shard) =>
        session.run<[string[], Found]>(scripts.history, shard, time, args, historyKeys(taskId)),
      ),
    );
    return shards
      .flatMap(([members, bodies]) =>
        bodies.map((body, index) => ({
          member: members[2 * index] ?? '',
          at: Number(members[2 * index + 1]),
          body: body ?? '',
        })),
      )
      .sort((a, b) => b.at - a.at || (a.member < b.member ? 1 : -1))
      .slice(0, most)
      .map(({ member, at, body }) => ({ taskId, id: member.slice(17), at, body }));
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

  /** Runs a call on all its items: shards at the same time, batches of one shard one after another. */
  async #inBatches<T extends { readonly id: string }, R>(
    items: readonly T[],
    lengthOf: (item: T) => number,
    perform: (batch: readonly T[], run: Run, shard: number) => Promise<readonly R[]>,
  ): Promise<R[]> {
    const session = this.#open();
    const time = this.#time();
    const answers = new Array<R>(items.length);
    const byShard = toBatches(items, session.shards, lengthOf);
    await Promise.all(
      [...byShard].map(async ([shard, batches]) => {
        const now = batches.length > 1 ? await timeOf(session, shard, time) : time;
        const run: Run = (script, args, more) => session.run(script, shard, now, args, more);
        for (const batch of batches) {
          const part = await perform(
            batch.map(({ item }) => item),
            run,
            shard,
          );
          for (const [index, answer] of part.entries()) {
            const position = batch[index]?.position;
            if (position !== undefined) answers[position] = answer;
          }
        }
      }),
    );
    return answers;
  }

  async #change(action: 'remove' | 'pause' | 'resume', selector: TaskSelector): Promise<number> {
    if ('ids' in selector) {
      const counts = await this.#inBatches(
        selector.ids.map(toItem),
        noLength,
        async (batch, run) => {
          const ids = batch.map(({ id }) => id);
          const [count] = await run<Changed>(scripts.change, [action, 'ids', ...ids]);
          return [Number(count)];
        },
      );
      return counts.reduce((sum, count) => sum + count, 0);
    }
    const prefix = 'group' in selector ? prefixOf(selector.group) : '';
    const given = this.#time();
    return this.#sumOfShards(async (session, shard) => {
      const time = await timeOf(session, shard, given);
      let [sum, from, to] = [0, '0', ''];
      do {
        const args = [action, prefix, from, to, String(batchSize)];
        const [count, next, last] = await session.run<Changed>(scripts.change, shard, time, args);
        sum += Number(count);
        [from, to] = [next, last];
      } while (from !== '');
      return sum;
    });
  }

  async #sumOfShards(count: (session: Session, shard: number) => Promise<number>): Promise<number> {
    const session = this.#open();
    const shards = [...Array(session.shards).keys()];
    const counts = await Promise.all(shards.map((shard) => count(session, shard)));
    return counts.reduce((sum, each) => sum + each, 0);
  }

  #historyLimits(): string[] {
    const { historyLimit, historyMaxAgeMs, clock } = this.#settings;
    const isForgotten = !clock && historyMaxAgeMs <= maxExpiryMs;
    return [
      ...[historyLimit, historyMaxAgeMs].map((limit) =>
        Number.isFinite(limit) ? String(limit) : '',
      ),
      isForgotten ? String(historyMaxAgeMs) : '',
    ];
  }
}

/** What `HMGET` gives. */
type Found = (string | null)[];
type Page = [next: string, ids: string[], envelopes: string[], bodies: string[]];
type Changed = [count: number | string, next: string, last: string];

const toItem = (id: string) => ({ id });
const noLength = () => 0;
const lengthOf = ({ body }: { readonly body: string }) => body.length;

/** The one time for a call that takes several scripts. */
async function timeOf(session: Session, shard: number, time: string): Promise<string> {
  return time || session.run<string>(scripts.clock, shard, '', []);
}

/** A group by name has an index; whatever else is asked for is looked for task by task. */
function toQuery(filter: TaskFilter): { readonly prefix: string; readonly conditions: string } {
  const prefix = typeof filter.group === 'string' ? prefixOf(filter.group) : '';
  return { prefix, conditions: encodeFilter(filter) };
}
