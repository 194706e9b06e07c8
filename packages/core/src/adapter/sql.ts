/** For stores whose tasks are rows. */

import type { TaskFilter, TaskRecord, TaskStatus } from '../data-store.js';

/** The columns of a task, in the order in which {@link toRecord} reads them. */
export const taskColumns = [
  'id, name, queue, group_name, status, paused, run_at, body, resumed_at',
  'lease_token, lease_owner, lease_expires_at, deliveries, revision, wake_at',
].join(', ');

/** What is in {@link taskColumns} of a task, and maybe more. Drivers differ in how they give numbers. */
export type TaskRow = readonly unknown[];

export function toRecord(row: TaskRow): TaskRecord {
  const [id, name, queue, group, status, paused, runAt, body, resumedAt, token, ...rest] = row;
  const [owner, expiresAt, deliveries, revision, wakeAt] = rest;
  return {
    id: String(id),
    name: String(name),
    queue: String(queue),
    group: group === null ? null : String(group),
    status: status as TaskStatus,
    paused: Boolean(Number(paused)),
    runAt: toNumber(runAt),
    body: String(body),
    resumedAt: toNumber(resumedAt),
    lease:
      token === null
        ? null
        : { token: Number(token), owner: String(owner), expiresAt: Number(expiresAt) },
    deliveries: Number(deliveries),
    revision: Number(revision),
    wakeAt: toNumber(wakeAt),
  };
}

/** A number, or nothing, as a driver gives it. */
export function toNumber(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(value);
}

/**
 * A filter as the end of a WHERE clause.
 *
 * @param literalOf how the value of a member stands there
 * @param now how the time stands there
 */
export function toConditions(
  { leased, group, name, queue, status, paused }: TaskFilter,
  literalOf: (value: string | boolean, member: string) => string,
  now: () => string,
): string {
  const members = Object.entries({ group, name, queue, status, paused });
  const all = members.map(([member, value]) => {
    if (value === undefined) return '';
    const column = member === 'group' ? 'group_name' : member;
    return ` AND ${column} ${value === null ? 'IS NULL' : `= ${literalOf(value, member)}`}`;
  });
  if (leased !== undefined) {
    all.push(` AND (lease_expires_at > ${now()}) IS ${leased ? '' : 'NOT '}TRUE`);
  }
  return all.join('');
}
