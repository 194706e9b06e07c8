import type { TaskFilter } from '@sched/core';
import type { SqliteValue } from './client.js';

const columns = `id, name, queue, group_name AS groupName, status, paused, run_at AS runAt, body,
  resumed_at AS resumedAt, lease_token AS token, lease_owner AS owner,
  lease_expires_at AS expiresAt, deliveries, revision, wake_at AS wakeAt`;

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
    /** Takes so many numbers from the counter that gives every token, revision and serial. */
    reserve: `UPDATE ${prefix}meta SET value = value + ? WHERE key = 'counter' RETURNING value`,

    insert: `INSERT INTO ${tasks}
      (serial, id, name, queue, group_name, status, paused, run_at, revision, body)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,

    get: `SELECT ${columns} FROM ${tasks} WHERE id = ?`,

    update: `UPDATE ${tasks} SET name = ?, queue = ?, group_name = ?, status = ?, run_at = ?,
      body = ?, revision = ? WHERE id = ?`,

    /** The first wake-up in a queue. */
    nextWakeAt: `SELECT wake_at AS wakeAt FROM ${due}
      WHERE queue = ? AND wake_at IS NOT NULL ORDER BY wake_at LIMIT 1`,

    due: `SELECT serial, ${columns} FROM ${due}
      WHERE queue = ? AND wake_at <= ? ORDER BY wake_at LIMIT ?`,

    lease: `UPDATE ${tasks} SET lease_token = ?, lease_owner = ?, lease_expires_at = ?,
      deliveries = deliveries + 1 WHERE serial = ?`,

    extend: `UPDATE ${tasks} SET lease_expires_at = ?
      WHERE id = ? AND lease_token = ? AND lease_expires_at > ? RETURNING revision`,

    settle: `UPDATE ${tasks} SET status = ?, run_at = ?, body = ?, paused = paused | ?, ${noLease},
      deliveries = 0, revision = ?, settled_token = ?
      WHERE id = ? AND lease_token = ? AND revision = ?`,

    settleByRemoval: `DELETE FROM ${tasks} WHERE id = ? AND lease_token = ? AND revision = ?`,

    fences: `SELECT lease_token AS token, settled_token AS settledToken FROM ${tasks} WHERE id = ?`,

    release: `UPDATE ${tasks} SET ${noLease}, deliveries = deliveries - 1,
      run_at = max(run_at, coalesce(?, run_at)) WHERE id = ? AND lease_token = ?`,

    append: `INSERT INTO ${history} (task_id, id, at, body) VALUES (?, ?, ?, ?)
      ON CONFLICT (task_id, id) DO NOTHING`,

    history: `SELECT task_id AS taskId, id, at, body FROM ${history}
      WHERE task_id = ? AND at >= ? ORDER BY at DESC, seq DESC LIMIT ?`,

    forgetExcess: `DELETE FROM ${history} WHERE seq IN (SELECT seq FROM ${history}
      WHERE task_id = ? ORDER BY at DESC, seq DESC LIMIT -1 OFFSET ?)`,

    forgetStale: `DELETE FROM ${history} WHERE seq IN (SELECT seq FROM ${history}
      WHERE at < ? ORDER BY at LIMIT ?)`,

    /** The serial of the task so many places after another. */
    horizon: `SELECT serial FROM ${tasks} WHERE serial > ? ORDER BY serial LIMIT 1 OFFSET ?`,

    list: (where: string) => `SELECT serial, ${columns} FROM ${chosen(where)}
      WHERE serial > ? AND serial <= ?${where} ORDER BY serial LIMIT ?`,

    count: (where: string) => `SELECT count(*) AS count FROM ${chosen(where)} WHERE true${where}`,

    /** @param where `id = ?`, `group_name = ?` or `true` */
    remove: (where: string) => `DELETE FROM ${chosen(where)} WHERE ${where}`,

    setPaused: (where: string) => `UPDATE ${chosen(where)}
      SET paused = ?, resumed_at = coalesce(?, resumed_at) WHERE paused <> ? AND ${where}`,
  };
}

export type Statements = ReturnType<typeof createStatements>;

/** A filter as the end of a WHERE clause, and the values that it needs. */
export function conditions(filter: TaskFilter): { where: string; values: SqliteValue[] } {
  const values: SqliteValue[] = [];
  let where = '';
  const add = (column: string, value: string | number | null | undefined) => {
    if (value === undefined) return;
    where += value === null ? ` AND ${column} IS NULL` : ` AND ${column} = ?`;
    if (value !== null) values.push(value);
  };
  add('group_name', filter.group);
  add('name', filter.name);
  add('queue', filter.queue);
  add('status', filter.status);
  add('paused', filter.paused === undefined ? undefined : Number(filter.paused));
  return { where, values };
}
