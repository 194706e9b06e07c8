import type { TaskFilter } from '@sched/core';
import { taskColumns, toConditions } from '@sched/core/adapter';
import type { SqliteValue } from './client.js';

const noLease = 'lease_token = NULL, lease_owner = NULL, lease_expires_at = NULL';

/** Every statement of the contract, for tables with this prefix. */
export function createStatements(prefix: string) {
  const tasks = `${prefix}tasks`;
  const history = `${prefix}history`;
  // Named, because the statistics of an ANALYZE in a bad moment must not talk SQLite out of an index.
  const due = `${tasks} INDEXED BY ${tasks}_due`;
  const chosen = (where: string) =>
    where.includes('group_name = ?') ? `${tasks} INDEXED BY ${tasks}_group` : tasks;

  return {
    /** The last number of the counter that gives every token, revision and serial. */
    counter: `SELECT value FROM ${prefix}meta WHERE key = 'counter'`,

    setCounter: `UPDATE ${prefix}meta SET value = ? WHERE key = 'counter'`,

    insert: `INSERT INTO ${tasks}
      (serial, revision, id, name, queue, group_name, status, paused, run_at, body)
      VALUES (?1, ?1, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,

    get: `SELECT ${taskColumns}, settled_token FROM ${tasks} WHERE id = ?`,

    update: `UPDATE ${tasks} SET name = ?, queue = ?, group_name = ?, status = ?, run_at = ?,
      body = ?, revision = ? WHERE id = ?`,

    /** The first wake-up in a queue. */
    nextWakeAt: `SELECT wake_at FROM ${due}
      WHERE queue = ? AND wake_at IS NOT NULL ORDER BY wake_at LIMIT 1`,

    /** The first wake-up of the first queue from a name on. */
    nextQueue: `SELECT queue, wake_at FROM ${due}
      WHERE queue >= ? AND wake_at IS NOT NULL ORDER BY queue, wake_at LIMIT 1`,

    /** Two numbers, of which one changes with each commit of another connection and the other with each row of this. */
    version: 'SELECT data_version, total_changes() FROM pragma_data_version',

    due: `SELECT serial, id, name, group_name, run_at, body, resumed_at, lease_owner, revision, deliveries
      FROM ${due}
      WHERE queue = ? AND wake_at <= ? ORDER BY wake_at LIMIT ?`,

    lease: `UPDATE ${tasks} SET lease_token = ?, lease_owner = ?, lease_expires_at = ?,
      deliveries = deliveries + 1 WHERE serial = ?`,

    extend: `UPDATE ${tasks} SET lease_expires_at = ?
      WHERE id = ? AND lease_token = ? RETURNING revision`,

    settle: `UPDATE ${tasks} SET status = ?, run_at = ?, body = ?, paused = paused | ?, ${noLease},
      deliveries = 0, revision = ?, settled_token = lease_token
      WHERE id = ? AND lease_token = ? AND revision = ?`,

    release: `UPDATE ${tasks} SET ${noLease}, deliveries = deliveries - 1,
      run_at = max(run_at, coalesce(?, run_at)) WHERE id = ? AND lease_token = ?`,

    append: `INSERT INTO ${history} (serial, task_id, id, at, body) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT (task_id, id) DO NOTHING`,

    // The entries of one task are sorted when they are read: an index in order of time would cost every run more than
    // all reading together.
    history: `SELECT id, at, body FROM ${history}
      WHERE task_id = ? AND at >= ? ORDER BY at DESC, serial DESC LIMIT ?`,

    // As the row of an index ends with its serial, this one is in order of both.
    latestHistory: `SELECT task_id, id, at, body, serial
      FROM ${history} INDEXED BY ${history}_oldest
      WHERE (at, serial) < (?, ?) AND at >= ? ORDER BY at DESC, serial DESC LIMIT ?`,

    forgetExcess: `DELETE FROM ${history} WHERE serial IN (SELECT serial FROM ${history}
      WHERE task_id = ? ORDER BY at DESC, serial DESC LIMIT -1 OFFSET ?)`,

    forgetStale: `DELETE FROM ${history} WHERE serial IN (SELECT serial
      FROM ${history} INDEXED BY ${history}_oldest WHERE at < ? ORDER BY at LIMIT ?)`,

    /** The serial of the task so many places after another. */
    horizon: `SELECT serial FROM ${tasks} WHERE serial > ? ORDER BY serial LIMIT 1 OFFSET ?`,

    list: (where: string) => `SELECT ${taskColumns}, serial FROM ${chosen(where)}
      WHERE serial > ? AND serial <= ?${where} ORDER BY serial LIMIT ?`,

    count: (where: string) => `SELECT count(*) FROM ${chosen(where)} WHERE true${where}`,

    settleByRemoval: `DELETE FROM ${tasks} WHERE id = ? AND lease_token = ? AND revision = ?`,

    remove: (where: string) => `DELETE FROM ${chosen(where)} WHERE ${where}`,

    setPaused: (where: string) => `UPDATE ${chosen(where)}
      SET paused = ?, resumed_at = coalesce(?, resumed_at) WHERE paused <> ? AND ${where}`,
  };
}

export type Statements = ReturnType<typeof createStatements>;

/** A filter as the end of a WHERE clause, and the values that it needs. */
export function conditions(filter: TaskFilter, now: number) {
  const values: SqliteValue[] = [];
  const given = (value: SqliteValue) => {
    values.push(value);
    return '?';
  };
  const where = toConditions(
    filter,
    (value) => given(typeof value === 'string' ? value : Number(value)),
    () => given(now),
  );
  return { where, values };
}
