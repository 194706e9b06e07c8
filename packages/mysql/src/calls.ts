import type {
  ClaimedTask,
  ClaimRequest,
  NewTaskRecord,
  Settlement,
  TaskSelector,
} from '@sched/core';
import { SchedError } from '@sched/core';
import type { Sized, StoreCalls, StoreLimits } from '@sched/core/adapter';
import {
  chunks,
  drawForgetting,
  earliest,
  isFiltered,
  toClaimed,
  toNumber,
  toPage,
  toRecord,
  Watcher,
} from '@sched/core/adapter';
import { isDuplicate } from './errors.js';
import { sizeOfText } from './literals.js';
import { inLockOrder } from './lock-order.js';
import { lookAgain } from './notifications.js';
import { Numbers } from './numbers.js';
import type { Settings } from './options.js';
import type { Row, Run, Session } from './session.js';
import { chunk, createStatements } from './statements.js';

/** What one statement holds: with more it is no faster. */
const maxItems = 1000;

/** What one statement holds where the server would take more. */
const maxBytes = 16 * 1024 * 1024;

/** What a statement has beside its items. */
const overheadBytes = 64 * 1024;

/** How many tasks are looked at in one statement for what is too much of their history. */
const excessAtOnce = 50;

/** How often, and how long apart, a claim looks for tasks that are due where all of them are locked: half a second. */
const lockedTries = 50;
const lockedMs = 10;

/** The calls of the contract. */
export function createCalls(
  session: Session,
  settings: Settings,
  numbers: Numbers,
  maxPacketBytes: number,
): StoreCalls {
  const sql = createStatements(settings.namespace);
  /** In a transaction of the user's it is read what is, and not what was when that began. */
  const lock = session.isNested ? 'FOR UPDATE' : '';

  /** The injected time. */
  const time = () => settings.clock?.() ?? null;

  const select = async (statement: string) => (await session.run(statement)).rows;

  /** The counter's next number. It outlives crashes, and makes nobody wait. */
  const draw = async (run: Run) => {
    const { insertId } = await run(sql.draw);
    await run(sql.discard(insertId));
    return insertId;
  };

  let drawing: Promise<void> | undefined;
  async function freshRevision(): Promise<number> {
    for (;;) {
      const revision = numbers.take();
      if (revision !== undefined) return revision;
      drawing ??= session
        .transact(session.isNested ? unnoticed(draw) : draw)
        .then((drawn) => numbers.add(drawn))
        .finally(() => {
          drawing = undefined;
        });
      await drawing;
    }
  }

  /** @returns the ids of those that are there already */
  async function insertNew(records: readonly NewTaskRecord[], revision: number): Promise<string[]> {
    try {
      await session.run(sql.insert(records, revision));
      return [];
    } catch (error) {
      if (!isDuplicate(error)) throw error;
    }
    const ids = records.map(idOf);
    if (ids.length === 1) return ids;
    // In a transaction of the user's, to look for what is not there may keep others from creating it.
    const there = session.isNested
      ? []
      : (await select(sql.existing(ids))).map(([id]) => String(id));
    const known = new Set(there);
    const rest = records.filter(({ id }) => !known.has(id));
    for (const part of chunks(rest, session.isNested ? 1 : undefined)) {
      there.push(...(await insertNew(part, revision)));
    }
    return there;
  }

  /** Changes all tasks of a selector. @param change gives a statement */
  async function bulk(
    selector: TaskSelector,
    change: (ids: readonly string[], group?: string) => string,
  ): Promise<number> {
    if ('ids' in selector) return (await session.run(change(selector.ids))).affected;
    const group = 'group' in selector ? selector.group : undefined;
    return session.transact(async (run) => {
      let changed = 0;
      for (let last: string | undefined; ; ) {
        const { rows } = await run(sql.choose(group, last, lock));
        const ids = rows.map(([id]) => String(id));
        if (ids.length > 0) changed += (await run(change(ids, group))).affected;
        if (ids.length < chunk) return changed;
        last = ids.at(-1);
      }
    });
  }

  /** Leases due tasks to an owner. @param moments the first of each queue */
  function take(request: ClaimRequest, now: number, moments: Row): Promise<ClaimedTask[]> {
    const { queues, limit, owner, leaseMs } = request;
    return session.transact(async (run) => {
      const rows: Row[] = [];
      for (const [index, queue] of queues.entries()) {
        const from = toNumber(moments[index]) ?? now + 1;
        if (from > now || rows.length >= limit) continue;
        rows.push(...(await run(sql.take(queue, from, now, limit - rows.length))).rows);
      }
      const token = rows.length > 0 ? Numbers.token(await draw(run)) : 0;
      for (const part of chunks(rows, maxItems)) {
        const ids = part.map(([id]) => String(id));
        await run(sql.lease(ids, token, owner, now + leaseMs));
      }
      const expiresAt = now + leaseMs;
      return rows.map((row) => toClaimed(toRecord(row), { token, owner, expiresAt }));
    });
  }

  /** Adds what settlements that were applied bring with them. */
  async function addAll(run: Run, applied: readonly Settlement[], revision: number): Promise<void> {
    const entries = applied.flatMap(({ history }) => history);
    const spawn = inLockOrder(applied.flatMap((settlement) => settlement.spawn));
    if (entries.length > 0) await run(sql.append(entries));
    if (spawn.length > 0) await run(sql.insert(spawn, revision, true));
  }

  /** Applies settlements that all remove their tasks, without reading these. @returns nothing where not all can be */
  async function endAll(settlements: readonly Settlement[]): Promise<'settled'[] | undefined> {
    if (settlements.some(({ next, spawn }) => next !== null || spawn.length > 0)) return undefined;
    return session.transact(async (run) => {
      const { affected } = await run(sql.end(settlements));
      if (affected < settlements.length) return undefined;
      await addAll(run, settlements, 0);
      return settlements.map(() => 'settled');
    });
  }

  async function settleEach(settlements: readonly Settlement[]) {
    const revision = settlements.some(({ spawn }) => spawn.length > 0) ? await freshRevision() : 0;
    return session.transact(async (run) => {
      const { rows } = await run(sql.leases(settlements.map(idOf), 'FOR UPDATE'));
      const found = byId(rows);
      const verdicts = settlements.map((item) => verdictOn(item, found.get(item.id)));
      const applied = settlements.filter((_, index) => verdicts[index] === 'applied');
      const ended = applied.filter(({ next }) => next === null);
      if (ended.length > 0) await run(sql.remove(ended.map(idOf)));
      if (applied.length > ended.length) await run(sql.settle(applied));
      await addAll(run, applied, revision);
      return verdicts.map((verdict) => (verdict === 'applied' ? 'settled' : verdict));
    });
  }

  /** Deletes what is too much of the history, and what is too old. Reading goes by the limits in any case. */
  async function forget(taskIds: readonly string[]): Promise<void> {
    const drawn = drawForgetting(settings, taskIds);
    if (!drawn || session.isNested) return;
    const { tasks, keep = 0, age, stale } = drawn;
    for (const part of chunks(tasks, excessAtOnce)) {
      for (const [taskId, at, seq] of await select(sql.excess(part, keep))) {
        await session.run(sql.forgetExcess(String(taskId), Number(at), Number(seq)));
      }
    }
    if (age !== undefined) await session.run(sql.forgetStale(age, time(), stale));
  }

  return {
    limits: limitsOf(maxPacketBytes),
    // On a connection of the user's nobody looks but the user.
    watcher: session.isNested
      ? undefined
      : new Watcher(lookAgain(select, sql, time), (error) => error as SchedError),

    now: async () => time() ?? Number((await select(sql.now(null)))[0]?.[0]),

    async insert(records) {
      const there = new Set(await insertNew(inLockOrder(records), await freshRevision()));
      return records.map(({ id }) => (there.has(id) ? 'exists' : 'inserted'));
    },

    read: async (ids) => (await select(sql.read(ids, lock))).map(toRecord),

    async update(id, change, expected) {
      const revision = await freshRevision();
      const { affected } = await session.run(sql.update(id, change, revision, expected));
      if (affected > 0) return 'updated';
      return (await select(sql.revisionOf(id, lock))).length > 0 ? 'conflict' : 'missing';
    },

    async list({ after, limit, ...filter }) {
      const [end] = isFiltered(filter) ? await select(sql.horizon(filter, after)) : [];
      const last = end ? String(end[0]) : null;
      const list = sql.list(filter, time(), after, last, Math.trunc(limit) + 1);
      return toPage(await select(list), limit, toRecord, ([id]) => String(id), last);
    },

    count: async (filter) => Number((await select(sql.count(filter, time())))[0]?.[0]),

    remove: (selector) => bulk(selector, sql.remove),

    setPaused: (selector, paused, at = time() ?? undefined) =>
      bulk(selector, (ids, group) => sql.setPaused(ids, paused, at ?? null, group)),

    async claim(request) {
      const firsts = sql.firsts(request.queues, time());
      const tasks: ClaimedTask[] = [];
      let at: number | undefined;
      for (let tries = 1; ; tries++) {
        const [[time, ...moments] = []] = await select(firsts);
        const now = at ?? Number(time);
        const first = earliest(moments.map(toNumber));
        const result = { tasks, now, nextWakeAt: first };
        if (first === null || first > now) return result;
        const wanted = { ...request, limit: request.limit - tasks.length };
        const taken = await take(wanted, now, moments);
        tasks.push(...taken);
        if (tasks.length === request.limit) return result;
        // While others take tasks, MariaDB passes over some that nobody holds. The next look sees them.
        if (taken.length > 0) at = now;
        // What is locked is about to be leased, unless its connection was cut: then the server is about to notice.
        else if (tasks.length > 0 || tries === lockedTries) return result;
        else await new Promise((resolve) => setTimeout(resolve, lockedMs));
      }
    },

    async extend(leases, leaseMs, at = time() ?? undefined) {
      await session.run(sql.extend(leases, leaseMs, at ?? null));
      const found = byId(await select(sql.leases(leases.map(idOf), lock)));
      return leases.map(({ id, token }) => {
        const [, current, revision] = found.get(id) ?? [];
        return current !== null && Number(current) === token ? Number(revision) : 'lost';
      });
    },

    async settle(settlements) {
      const verdicts = (await endAll(settlements)) ?? (await settleEach(settlements));
      const added = settlements.flatMap(({ history }) => history.map(({ taskId }) => taskId));
      await forget(added).catch(() => {});
      return verdicts;
    },

    async release(leases) {
      return session.transact(async (run) => {
        const { rows } = await run(sql.leases(leases.map(idOf), 'FOR UPDATE'));
        const found = byId(rows);
        const answers = leases.map(({ id, token }) =>
          isHeld(found.get(id), token) ? 'released' : 'lost',
        );
        const held = leases.filter((_, index) => answers[index] === 'released');
        for (const [deferUntil, part] of Map.groupBy(held, (lease) => lease.deferUntil)) {
          await run(sql.release(part.map(idOf), deferUntil));
        }
        return answers;
      });
    },

    async history(taskId, limit) {
      const age = Math.min(settings.historyMaxAgeMs, Number.MAX_SAFE_INTEGER);
      const rows = await select(sql.history(taskId, time(), age, limit));
      return rows.map(([id, at, body]) => ({
        ...{ taskId, id: String(id), at: Number(at), body: String(body) },
      }));
    },
  };
}

function limitsOf(maxPacketBytes: number): StoreLimits {
  const maxSize = Math.min(maxPacketBytes, maxBytes) - overheadBytes;
  return {
    ...{ maxItems, maxSize, sizeOf: bytesOf, unstorable: 'loneSurrogates' },
    refuse: (bytes) =>
      new SchedError(
        'SCHED_PAYLOAD_TOO_LARGE',
        `What is to be written of one task takes ${bytes} bytes, and max_allowed_packet of the server leaves room for ${maxSize}.`,
      ),
  };
}

/** At most how many bytes these take in a statement. */
function bytesOf({ ids, texts, bodies }: Sized): number {
  let sum = 200;
  for (const list of [ids, texts, bodies]) for (const each of list) sum += sizeOfText(each ?? '');
  return sum;
}

/** The same, and afterwards the user's LAST_INSERT_ID is what it was. */
const unnoticed =
  <T>(work: (run: Run) => Promise<T>) =>
  async (run: Run) => {
    const [[last = 0] = []] = (await run('SELECT LAST_INSERT_ID()')).rows;
    const result = await work(run);
    await run(`DO LAST_INSERT_ID(${last})`);
    return result;
  };

const idOf = ({ id }: { readonly id: string }) => id;

const byId = (rows: readonly Row[]) => new Map(rows.map((row) => [String(row[0]), row]));

/** @param row the id, the token of the lease, the revision and the token of the last settlement, if there is such a task */
function verdictOn({ token, revision }: Settlement, row: Row | undefined) {
  if (!row) return 'lost';
  if (toNumber(row[3]) === token) return 'settled';
  if (!isHeld(row, token)) return 'lost';
  return Number(row[2]) === revision ? 'applied' : 'conflict';
}

const isHeld = (row: Row | undefined, token: number) => toNumber(row?.[1]) === token;
