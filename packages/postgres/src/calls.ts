import type { ClaimedTask, NewTaskRecord } from '@sched/core';
import type { StoreCalls, TaskRow, Watcher } from '@sched/core/adapter';
import {
  drawForgetting,
  earliest,
  readPosition,
  toLatestPage,
  toNumber,
  toPage,
  toRecord,
} from '@sched/core/adapter';
import { ClaimStarts } from './claim-starts.js';
import { arrayOf, columnsOfRecords, columnsOfSettlements } from './columns.js';
import type { Wake } from './notifications.js';
import type { Settings } from './options.js';
import type { Session } from './session.js';
import { createStatements } from './statements.js';

/** Several of the largest bodies in one statement stay below the limits of server and driver. */
const limits = {
  maxWrites: 5000,
  maxSize: 16 * 1024 * 1024,
  maxBodyBytes: 64 * 1024 * 1024,
  unstorable: 'loneSurrogates',
} as const;

type ClaimEnd = readonly [
  now: number,
  expiresAt: number,
  firsts: readonly (readonly [at: number, serial: string] | null)[] | null,
  writers: readonly string[] | null,
];

type Verdict = 'settled' | 'conflict' | 'lost';

/**
 * The calls of the contract, as statements.
 *
 * @param tell says that tasks have come to wake, and resolves when that has been said
 * @param watcher there where it can listen
 */
export function createCalls(
  { rows, all, isNested }: Session,
  settings: Settings,
  tell: (wakes: readonly Wake[]) => Promise<void>,
  watcher?: Watcher,
): StoreCalls {
  const sql = createStatements(settings.prefix);
  const starts = new ClaimStarts();

  /** The age of the oldest entries that are given; null where there is no limit. */
  const age = Number.isFinite(settings.historyMaxAgeMs) ? settings.historyMaxAgeMs : null;

  /** The injected time. */
  const time = () => settings.clock?.() ?? null;

  /** The one answer of a statement that always gives one. */
  const one = async <T>(...statement: Parameters<typeof all>): Promise<T> => {
    const [answer] = await all<T>(...statement);
    return answer as T;
  };

  return {
    limits,
    watcher,

    now: async () => time() ?? one<number>(sql.now, null),

    async insert(records) {
      const found = await one<number[] | null>(sql.insert, ...columnsOfRecords(records), time());
      const existing = new Set(found);
      await tell(wakesOf(records, existing));
      return records.map((_, position) => (existing.has(position) ? 'exists' : 'inserted'));
    },

    read: async (ids) => (await all<TaskRow>(sql.get, ids)).map(toRecord),

    async update(id, change, revision) {
      const request = { ...change, id, revision };
      type Answer = [found: number, changed: number, wakes: Wake[] | null];
      const [found, changed, wakes] = await one<Answer>(sql.update, request, time());
      await tell(wakes ?? []);
      if (found === 0) return 'missing';
      return changed === 0 ? 'conflict' : 'updated';
    },

    async list({ after, limit, ...filter }) {
      // The next text after another, byte by byte: no text has a character 0.
      const from = after === undefined ? '' : `${after}\u0001`;
      const request = { ...filter, from, limit, now: time() };
      const rows = await all<[end: string | null, ...TaskRow]>(sql.list(filter), request);
      const tasks = rows.map(([, ...row]) => row).filter(([id]) => id !== null);
      return toPage(tasks, limit, toRecord, ([id]) => String(id), rows[0]?.[0]);
    },

    count: (filter) => one<number>(sql.count(filter), { ...filter, now: time() }),

    remove: (selector) => one<number>(sql.remove(selector), selector),

    async setPaused(selector, paused) {
      const statement = sql.setPaused(selector, paused);
      const [changed, wakes] = await one<[number, Wake[] | null]>(statement, selector, time());
      await tell(wakes ?? []);
      return changed;
    },

    async claim({ queues, limit, owner, leaseMs }) {
      const start = starts.begin(queues);
      const given = await rows(
        ...[sql.claim, queues, arrayOf(start.starts.map(([, at]) => at))],
        ...[arrayOf(start.starts.map(([, , serial]) => serial)), limit, owner, leaseMs],
        ...[start.probe, start.after, time()],
      );
      const [now, expiresAt, firsts, writers]: ClaimEnd = JSON.parse(given.at(-1)?.body);
      const tasks = given.slice(0, -1).map(
        (row): ClaimedTask => ({
          id: row.id,
          name: row.name,
          queue: row.queue,
          group: row.group_name,
          status: 'scheduled',
          paused: false,
          runAt: toNumber(row.run_at),
          body: row.body,
          resumedAt: toNumber(row.resumed_at),
          lease: { token: Number(row.token), owner, expiresAt },
          deliveries: Number(row.deliveries),
          revision: Number(row.revision),
          wakeAt: expiresAt,
          lapsedOwner: row.lapsed,
        }),
      );
      starts.end(start, now, tasks.length, firsts ?? [], writers);
      return { tasks, now, nextWakeAt: earliest((firsts ?? []).map((first) => first?.[0])) };
    },

    async extend(leases, leaseMs) {
      const answers = leases.map((): number | 'lost' => 'lost');
      const rows = await all<[number, number]>(sql.extend, leases, time(), leaseMs);
      for (const [position, revision] of rows) answers[position] = revision;
      return answers;
    },

    async settle(settlements) {
      const entries = settlements.flatMap(({ history }) => history.map(({ taskId }) => taskId));
      const forget = drawForgetting(settings, entries) ?? null;
      type Answer = [
        refused: Record<number, Verdict> | null,
        Wake[] | null,
        existing: number[] | null,
      ];
      const columns = columnsOfSettlements(settlements);
      const answer = await one<Answer>(sql.settle, ...columns, time(), forget);
      const [refused, wakes, existing] = answer;
      const spawns = settlements.flatMap(({ spawn }) => spawn);
      const told = tell([...(wakes ?? []), ...wakesOf(spawns, new Set(existing))]);
      // It has to be said before the user commits; otherwise nobody waits for it.
      if (isNested) await told;
      return settlements.map((_, position) => refused?.[position] ?? 'settled');
    },

    async release(leases) {
      type Answer = [positions: number[] | null, wakes: Wake[] | null];
      const [positions, wakes] = await one<Answer>(sql.release, leases, time());
      const told = tell(wakes ?? []);
      if (isNested) await told;
      const released = new Set(positions);
      return leases.map((_, position) => (released.has(position) ? 'released' : 'lost'));
    },

    async history(taskId, limit) {
      const most = Number.isFinite(limit) ? limit : null;
      const found = await all<[string, number, string]>(sql.history, taskId, age, most, time());
      return found.map(([id, at, body]) => ({ taskId, id, at, body }));
    },

    async latestHistory({ after, limit }) {
      type Row = [taskId: string, id: string, at: number, body: string, seq: string];
      const most = Number.isFinite(limit) ? limit + 1 : null;
      const rows = await all<Row>(sql.latestHistory, ...readPosition(after), age, most, time());
      const entryOf = ([taskId, id, at, body]: Row) => ({ taskId, id, at, body });
      return toLatestPage(rows, limit, entryOf, ([, , , , seq]) => seq);
    },
  };
}

/** Where those that were inserted wake. */
function wakesOf(records: readonly NewTaskRecord[], existing: ReadonlySet<number>): Wake[] {
  return records.flatMap(({ queue, runAt, paused, status }, position): Wake[] =>
    !existing.has(position) && runAt !== null && !paused && status === 'scheduled'
      ? [[queue, runAt]]
      : [],
  );
}
