import type { ClaimedTask, Lease, TaskRecord } from '../data-store.js';

/** A task as whoever claims it is given it. @param before as it was found */
export function toClaimed(before: TaskRecord, lease: Lease): ClaimedTask {
  const lapsedOwner = before.lease?.owner ?? null;
  const wakeAt = lease.expiresAt;
  return { ...before, lease, deliveries: before.deliveries + 1, wakeAt, lapsedOwner };
}

/** The first of several moments, of which some may be absent; null where there is none. */
export function earliest(moments: readonly (number | null | undefined)[]): number | null {
  const known = moments.filter((moment) => moment !== null && moment !== undefined);
  return known.length > 0 ? Math.min(...known) : null;
}
