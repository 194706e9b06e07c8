import type {
  ClaimedTask,
  ClaimRequest,
  HistoryEntry,
  NewTaskRecord,
  Settlement,
  TaskSelector,
} from '@sched/core';
import type { StoreCalls, TaskRow } from '@sched/core/adapter';
import {
  checkCursor,
  earliest,
  listingHorizon,
  readPosition,
  toLatestPage,
  toPage,
  toRecord,
  Watcher,
} from '@sched/core/adapter';
import type { SqliteValue } from './client.js';
import type { Executor } from './executor.js';
import { lookAgain } from './notifications.js';
import type { Settings } from './options.js';
import type { Session } from './session.js';
import { conditions, createStatements } from './statements.js';

/** The columns of a task that is due. */
type DueRow = readonly [
  ...[serial: number, id: string, name: string, group: string | null, runAt: number, body: string],
  ...[resumedAt: number | null, owner: string | null, revision: number, deliveries: number],
];

/** What is behind the columns of a task: its serial, or its `settled_token`. */
const extra = (row: TaskRow) => row[15];

/**
 * The calls of the contract, through an executor.
 *
 * @param canWatch whether others may write to what is watched
 */
export function createCalls(executor: Executor, settings: Settings, canWatch = false): StoreCalls {
  const { clock = Date.now, historyLimit, historyMaxAgeMs, tablePrefix } = settings;
  const sql = createStatements(tablePrefix);
  const { call, write } = executor;

  /** The earliest `at` of an entry that is not too old. */
  const oldest = () => clock() - historyMaxAgeMs;

  /** Takes the next number of the store's counter, for a token, a revision or a serial. */
  const number = (session: Session) => session.take(sql.counter, sql.setCounter);

  function insert(session: Session, record: NewTaskRecord) {
    const { id, name, queue, group, status, paused, runAt, body } = record;
    const schedule = [status, Number(paused), runAt];
    const values = [number(session), id, name, queue, group, ...schedule, body];
    return session.run(sql.insert, ...values) > 0 ? 'inserted' : 'exists';
  }

  /** Runs a statement on the tasks that are meant. @returns how many changed */
  function each(
    selector: TaskSelector,
    statement: (where: string) => string,
    values: () => SqliteValue[],
  ): Promise<number> {
    return write((session) => {
      const given = values();
      if ('all' in selector) return session.run(statement('true'), ...given);
      if ('group' in selector) {
        return session.run(statement('group_name = ?'), ...given, selector.group);
      }
      const byId = statement('id = ?');
      return selector.ids.reduce((sum, id) => sum + session.run(byId, ...given, id), 0);
    });
  }

  function take(
    session: Session,
    { queues, limit, owner, leaseMs }: ClaimRequest,
    now: number,
  ): ClaimedTask[] {
    const tasks: ClaimedTask[] = [];
    const expiresAt = now + leaseMs;
    for (const queue of queues) {
      if (tasks.length === limit) break;
      for (const row of session.all<DueRow>(sql.due, queue, now, limit - tasks.length)) {
        const [serial, id, name, group, runAt, body, resumedAt, lapsedOwner, revision, before] =
          row;
        const lease = { token: number(session), owner, expiresAt };
        session.run(sql.lease, lease.token, owner, expiresAt, serial);
        tasks.push({
          ...{ id, name, queue, group, status: 'scheduled', paused: false, runAt, body, resumedAt },
          ...{ lease, deliveries: before + 1, revision, wakeAt: expiresAt, lapsedOwner },
        });
      }
    }
    return tasks;
  }

  /** @returns whether the settlement was applied; it is unless a fence stands in its way */
  function apply(session: Session, { id, token, revision, next }: Settlement): boolean {
    if (!next) return session.run(sql.settleByRemoval, id, token, revision) > 0;
    const { status, runAt, body, paused } = next;
    const values = [status, runAt, body, Number(paused === true), number(session)];
    return session.run(sql.settle, ...values, id, token, revision) > 0;
  }

  function refusal(session: Session, { id, token }: Settlement) {
    const row = session.get<TaskRow>(sql.get, id);
    if (row && extra(row) === token) return 'settled';
    return row && toRecord(row).lease?.token === token ? 'conflict' : 'lost';
  }

  function append(session: Session, { taskId, id, at, body }: HistoryEntry) {
    session.run(sql.append, number(session), taskId, id, at, body);
    // Finding the excess means walking past what is kept. Where that is much, it is done now and then only, and
    // reading goes by the limit.
    if (Math.random() * historyLimit < 4) session.run(sql.forgetExcess, taskId, historyLimit);
  }

  return {
    // What the driver would give back as another text; Node 22 reads no further than a character 0.
    limits: { unstorable: 'loneSurrogatesAndNul' },

    now: async () => clock(),

    insert: (records) => write((session) => records.map((record) => insert(session, record))),

    read: (ids) =>
      call((session) =>
        ids.flatMap((id) => {
          const row = session.get<TaskRow>(sql.get, id);
          return row ? [toRecord(row)] : [];
        }),
      ),

    update: (id, change, revision) =>
      write((session) => {
        const row = session.get<TaskRow>(sql.get, id);
        if (!row) return 'missing';
        const task = toRecord(row);
        if (task.revision !== revision) return 'conflict';
        const { name = task.name, queue = task.queue, group = task.group } = change;
        const { status = task.status, runAt = task.runAt, body = task.body } = change;
        session.run(sql.update, name, queue, group, status, runAt, body, number(session), id);
        return 'updated';
      }),

    async list({ after = '0', limit, ...filter }) {
      checkCursor(after, /^\d{1,16}$/);
      return call((session) => {
        const from = Number(after);
        const { where, values } = conditions(filter, clock());
        // A group has an index. Whatever else is asked for is looked for task by task, a stretch of them a page.
        const [horizon] =
          typeof filter.group === 'string'
            ? []
            : (session.get<[number]>(sql.horizon, from, listingHorizon + limit) ?? []);
        const to = horizon ?? Number.MAX_SAFE_INTEGER;
        const rows = session.all<TaskRow>(sql.list(where), from, to, ...values, limit + 1);
        const end = horizon === undefined ? null : String(horizon);
        return toPage(rows, limit, toRecord, (row) => String(extra(row)), end);
      });
    },

    count(filter) {
      const { where, values } = conditions(filter, clock());
      return call((session) => session.get<[number]>(sql.count(where), ...values)?.[0] ?? 0);
    },

    remove: (selector) => each(selector, sql.remove, () => []),

    setPaused: (selector, paused) =>
      each(selector, sql.setPaused, () => [
        ...[Number(paused), paused ? null : clock(), Number(paused)],
      ]),

    async claim(request) {
      const look = (session: Session, now: number) => {
        const firsts = request.queues.map(
          (queue) => session.get<[number]>(sql.nextWakeAt, queue)?.[0],
        );
        return { now, nextWakeAt: earliest(firsts) };
      };
      // Idle workers ask without taking the lock for writing.
      const seen = await call((session) => look(session, clock()));
      const { now, nextWakeAt: next } = seen;
      if (next === null || next > now) return { tasks: [], ...seen };
      return write((session) => {
        const now = clock();
        return { tasks: take(session, request, now), ...look(session, now) };
      });
    },

    extend: (leases, leaseMs) =>
      write((session) => {
        const expiresAt = clock() + leaseMs;
        return leases.map(
          ({ id, token }) => session.get<[number]>(sql.extend, expiresAt, id, token)?.[0] ?? 'lost',
        );
      }),

    settle: (settlements) =>
      write((session) => {
        let appended = 0;
        const answers = settlements.map((settlement) => {
          if (!apply(session, settlement)) return refusal(session, settlement);
          for (const entry of settlement.history) append(session, entry);
          for (const record of settlement.spawn) insert(session, record);
          appended += settlement.history.length;
          return 'settled';
        });
        // Twice as fast as entries come, so that forgetting catches up at a cost in proportion.
        if (appended > 0) session.run(sql.forgetStale, oldest(), 2 * appended);
        return answers;
      }),

    release: (leases) =>
      write((session) =>
        leases.map(({ id, token, deferUntil = null }) =>
          session.run(sql.release, deferUntil, id, token) > 0 ? 'released' : 'lost',
        ),
      ),

    history: (taskId, limit) =>
      call((session) => {
        const most = Math.min(limit, Number.MAX_SAFE_INTEGER);
        const rows = session.all<[string, number, string]>(sql.history, taskId, oldest(), most);
        return rows.map(([id, at, body]) => ({ taskId, id, at, body }));
      }),

    latestHistory: ({ after, limit }) =>
      call((session) => {
        const [at, serial] = readPosition(after);
        type Row = [taskId: string, id: string, at: number, body: string, serial: number];
        const most = Math.min(limit + 1, Number.MAX_SAFE_INTEGER);
        const rows = session.all<Row>(sql.latestHistory, at, Number(serial), oldest(), most);
        const entryOf = ([taskId, id, at, body]: Row) => ({ taskId, id, at, body });
        return toLatestPage(rows, limit, entryOf, ([, , , , serial]) => serial);
      }),

    watcher: canWatch
      ? new Watcher(lookAgain(executor, sql), (error) => error as Error)
      : undefined,
  };
}
