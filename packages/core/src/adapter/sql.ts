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

/** The columns that a filter compares with a value, which may be null. */
export function filterColumns({
  group,
  name,
  queue,
  status,
  paused,
}: TaskFilter): [column: string, value: string | boolean | null][] {
  return Object.entries({ group_name: group, name, queue, status, paused }).filter(
    (entry): entry is [string, string | boolean | null] => entry[1] !== undefined,
  );
}
