import type { HistoryEntry, LeaseRef, NewTaskRecord, Settlement, TaskFilter } from '@sched/core';
import { listingHorizon, type TaskChange, taskColumns, toConditions } from '@sched/core/adapter';
import { oneOf, text, texts, textUpTo, whole } from './literals.js';

/** How many tasks are handled at a time where they have to be found. */
export const chunk = 1000;

/** The store's time: the injected clock's if there is one, or else the server's, in no time zone of a session. */
const moment = (time: number | null) =>
  time === null
    ? "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000)"
    : whole(time);

const statuses = ['scheduled', 'finished', 'failed'];

/** What is given to the columns of a task. */
const id = (value: string) => textUpTo(300, value);
const label = (value: string) => textUpTo(255, value);
const group = (value: string | null) => (value === null ? 'NULL' : label(value));
const status = (value: string) => oneOf(statuses, value);
const body = (value: string) => textUpTo(Number.POSITIVE_INFINITY, value);

/** Where something is only looked at, or is locked before it is changed. */
export type Lock = '' | 'FOR UPDATE';

/**
 * The statements. All names in them are in lower case and without quotes, and all values are literals.
 *
 * @param p what the names of the tables begin with
 */
export function createStatements(p: string) {
  const indexOf = (group: TaskFilter['group']) =>
    typeof group === 'string' ? `${p}_group` : 'PRIMARY';
  /** The tasks, found by their ids whatever the statistics say. */
  const tasks = `${p}_tasks AS t FORCE INDEX (PRIMARY)`;
  const byIds = (ids: readonly string[]) => `WHERE id IN (${texts(ids)})`;

  return {
    now: (time: number | null) => `SELECT ${moment(time)}`,

    draw: `INSERT INTO ${p}_counter () VALUES ()`,
    discard: (drawn: number) => `DELETE FROM ${p}_counter WHERE n = ${drawn}`,

    /** @param orKeep whether a task that is there is no error, and stays as it is */
    insert(records: readonly NewTaskRecord[], revision: number, orKeep = false): string {
      const rows = records.map(
        (task) =>
          `(${id(task.id)},${label(task.name)},${label(task.queue)},${group(task.group)},${status(task.status)},${Boolean(task.paused)},${whole(task.runAt)},${body(task.body)},${revision})`,
      );
      return `INSERT INTO ${p}_tasks
        (id, name, queue, group_name, status, paused, run_at, body, revision)
        VALUES ${rows.join()} ${orKeep ? 'ON DUPLICATE KEY UPDATE id = id' : ''}`;
    },

    read: (ids: readonly string[], lock: Lock) =>
      `SELECT ${taskColumns} FROM ${tasks} ${byIds(ids)} ${lock}`,

    existing: (ids: readonly string[]) => `SELECT id FROM ${tasks} ${byIds(ids)}`,

    update(task: string, change: TaskChange, revision: number, expected: number): string {
      const changes = [
        ...(change.name === undefined ? [] : [`name = ${label(change.name)}`]),
        ...(change.queue === undefined ? [] : [`queue = ${label(change.queue)}`]),
        ...(change.group === undefined ? [] : [`group_name = ${group(change.group)}`]),
        ...(change.status === undefined ? [] : [`status = ${status(change.status)}`]),
        ...(change.runAt === undefined ? [] : [`run_at = ${whole(change.runAt)}`]),
        ...(change.body === undefined ? [] : [`body = ${body(change.body)}`]),
        `revision = ${revision}`,
      ];
      return `UPDATE ${tasks} SET ${changes.join()}
        WHERE id = ${text(task)} AND revision = ${whole(expected)}`;
    },

    revisionOf: (id: string, lock: Lock) =>
      `SELECT revision FROM ${p}_tasks WHERE id = ${text(id)} ${lock}`,

    /** The ids of some tasks of a group, or of all, in the order in which they are locked. */
    choose: (group: string | undefined, after: string | undefined, lock: Lock) =>
      `SELECT id FROM ${p}_tasks FORCE INDEX (${indexOf(group)})
      WHERE ${beyond(after)} ${inGroup(group)} ORDER BY id LIMIT ${chunk} ${lock}`,

    remove: (ids: readonly string[], group?: string) =>
      `DELETE t FROM ${tasks} ${byIds(ids)} ${inGroup(group)}`,

    setPaused: (ids: readonly string[], paused: boolean, time: number | null, group?: string) =>
      `UPDATE ${tasks} SET paused = ${paused} ${paused ? '' : `, resumed_at = ${moment(time)}`}
      ${byIds(ids)} AND paused <> ${paused} ${inGroup(group)}`,

    /** The time, and the first moment in each queue. */
    firsts: (queues: readonly string[], time: number | null) =>
      `SELECT ${[
        moment(time),
        ...queues.map(
          (queue) => `(SELECT wake_at FROM ${p}_tasks FORCE INDEX (${p}_due)
            WHERE queue = ${text(queue)} AND wake_at IS NOT NULL ORDER BY wake_at LIMIT 1)`,
        ),
      ].join()}`,

    /** The name of a queue that comes after another. */
    nextQueue: (last: string | undefined) =>
      `SELECT queue FROM ${p}_tasks FORCE INDEX (${p}_due)
      WHERE ${last === undefined ? 'TRUE' : `queue > ${text(last)}`} ORDER BY queue LIMIT 1`,

    /** @param from the first moment there is: what was before it is not looked at, although it may not be purged yet */
    take: (queue: string, from: number, now: number, limit: number) =>
      `SELECT ${taskColumns} FROM ${p}_tasks FORCE INDEX (${p}_due)
      WHERE queue = ${text(queue)} AND wake_at BETWEEN ${from} AND ${now}
      ORDER BY wake_at LIMIT ${whole(limit)} FOR UPDATE SKIP LOCKED`,

    lease: (ids: readonly string[], token: number, owner: string, expiresAt: number) =>
      `UPDATE ${tasks} SET lease_token = ${token}, lease_owner = ${textUpTo(1000, owner)},
      lease_expires_at = ${whole(expiresAt)}, deliveries = deliveries + 1 ${byIds(ids)}`,

    /** What there is to know of the leases of tasks. */
    leases: (ids: readonly string[], lock: Lock) =>
      `SELECT id, lease_token, revision, settled_token FROM ${tasks} ${byIds(ids)} ${lock}`,

    extend: (leases: readonly LeaseRef[], leaseMs: number, time: number | null) =>
      `UPDATE ${tasks} SET lease_expires_at = ${moment(time)} + ${whole(leaseMs)}
      ${byIds(leases.map((lease) => lease.id))} AND (id, lease_token) IN
      (${leases.map((lease) => `(${text(lease.id)},${whole(lease.token)})`).join()})`,

    release: (ids: readonly string[], notBefore: number | undefined) =>
      `UPDATE ${tasks} SET lease_token = NULL, lease_owner = NULL, lease_expires_at = NULL,
      deliveries = deliveries - 1 ${notBefore === undefined ? '' : `, run_at = GREATEST(run_at, ${whole(notBefore)})`}
      ${byIds(ids)}`,

    /** Removes those that are held by these tokens and have these revisions. */
    end: (settlements: readonly Settlement[]) =>
      `DELETE t FROM ${tasks} WHERE (id, lease_token, revision) IN (${settlements
        .map(({ id, token, revision }) => `(${text(id)},${whole(token)},${whole(revision)})`)
        .join()})`,

    /** Of tasks that are there and locked. Their tokens become their revisions, as no task has had one before. */
    settle(settlements: readonly Settlement[]): string {
      const rows = settlements.flatMap(({ id, token, next }) =>
        next
          ? `(${text(id)},${status(next.status)},${Boolean(next.paused)},${whole(next.runAt)},${token},${token},${body(next.body)})`
          : [],
      );
      const replaced = ['status', 'run_at', 'revision', 'settled_token', 'body'];
      return `INSERT INTO ${p}_tasks (id, status, paused, run_at, revision, settled_token, body)
        VALUES ${rows.join()} ON DUPLICATE KEY UPDATE paused = paused OR VALUES(paused),
        lease_token = NULL, lease_owner = NULL, lease_expires_at = NULL, deliveries = 0,
        ${replaced.map((column) => `${column} = VALUES(${column})`).join()}`;
    },

    append(entries: readonly HistoryEntry[]): string {
      const rows = entries.map(
        (entry) =>
          `(${id(entry.taskId)},${textUpTo(400, entry.id)},${whole(entry.at)},${body(entry.body)})`,
      );
      return `INSERT INTO ${p}_history (task_id, id, at, body)
        VALUES ${rows.join()} ON DUPLICATE KEY UPDATE id = ${p}_history.id`;
    },

    /** The first entry of each of these tasks that is one too many. */
    excess: (taskIds: readonly string[], keep: number) =>
      taskIds
        .map(
          (taskId) => `(SELECT task_id, at, seq FROM ${p}_history FORCE INDEX (${p}_newest)
            WHERE task_id = ${text(taskId)} ORDER BY at DESC, seq DESC LIMIT ${keep}, 1)`,
        )
        .join(' UNION ALL '),

    forgetExcess: (taskId: string, at: number, seq: number) =>
      `DELETE FROM ${p}_history
      WHERE task_id = ${text(taskId)} AND (at < ${at} OR (at = ${at} AND seq <= ${seq}))`,

    /** Of the entries that were added first, those that are too old. */
    forgetStale: (age: number, time: number | null, most: number) =>
      `DELETE h FROM (SELECT seq FROM ${p}_history ORDER BY seq LIMIT ${most}) AS f
      STRAIGHT_JOIN ${p}_history AS h ON h.seq = f.seq WHERE h.at < ${moment(time)} - ${age}`,

    history: (taskId: string, time: number | null, age: number, limit: number) =>
      `SELECT id, at, body FROM ${p}_history FORCE INDEX (${p}_newest)
      WHERE task_id = ${text(taskId)} AND at >= ${moment(time)} - ${age}
      ORDER BY at DESC, seq DESC LIMIT ${limit}`,

    /** Where a page of a listing has to end, or nothing where it need not. */
    horizon: ({ group }: TaskFilter, after: string | undefined) =>
      `SELECT id FROM ${p}_tasks FORCE INDEX (${indexOf(group)})
      WHERE ${beyond(after)} ${inGroup(group)} ORDER BY id LIMIT ${listingHorizon}, 1`,

    list: (
      filter: TaskFilter,
      time: number | null,
      after: string | undefined,
      last: string | null,
      limit: number,
    ) =>
      `SELECT ${taskColumns} FROM ${p}_tasks FORCE INDEX (${indexOf(filter.group)})
      WHERE ${beyond(after)} ${last === null ? '' : `AND id <= ${text(last)}`}
      ${conditions(filter, time)} ORDER BY id LIMIT ${limit}`,

    count: (filter: TaskFilter, time: number | null) =>
      `SELECT COUNT(*) FROM ${p}_tasks WHERE TRUE ${conditions(filter, time)}`,
  };
}

export type Statements = ReturnType<typeof createStatements>;

/** Nothing where any group will do, or none is meant. */
const inGroup = (group: TaskFilter['group']) =>
  typeof group === 'string' ? `AND group_name = ${text(group)}` : '';

/** The empty text is an id too, and before all others. */
const beyond = (after: string | undefined) =>
  after === undefined ? 'TRUE' : `id > ${text(after)}`;

/** A filter as the end of a WHERE clause. */
function conditions(filter: TaskFilter, time: number | null): string {
  const literalOf = (value: string | boolean) =>
    typeof value === 'string' ? text(value) : String(value);
  return toConditions(filter, literalOf, () => moment(time));
}
