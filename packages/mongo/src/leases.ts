import type { LeaseRef, Release } from '@sched/core';
import type { TaskDocument } from './documents.js';
import { extended, released } from './pipelines.js';
import type { Session } from './session.js';

export async function extendLeases(
  { tasks, run, find }: Session,
  leases: readonly LeaseRef[],
  expiresAt: number,
): Promise<(number | 'lost')[]> {
  const update = extended(expiresAt);
  const writes = grouped(leases, () => '').map(({ filter }) => ({
    updateMany: { filter, update },
  }));
  await run((options) => tasks.bulkWrite(writes, { ...options, ordered: false }));
  const ids = leases.map(({ id }) => id);
  const projection = { token: 1, revision: 1 };
  const found = await find(tasks, { _id: { $in: ids } }, { projection });
  const held = new Map((found as TaskDocument[]).map((task) => [task._id, task]));
  return leases.map(({ id, token }) => {
    const task = held.get(id);
    return task && task.token === token ? task.revision : 'lost';
  });
}

export async function releaseLeases(
  { tasks, run, find }: Session,
  leases: readonly Release[],
): Promise<('released' | 'lost')[]> {
  const by = crypto.randomUUID();
  const writes = grouped(leases, ({ deferUntil }) => `${deferUntil}`).map(({ filter, first }) => ({
    updateMany: { filter, update: released(by, first.deferUntil) },
  }));
  const { matchedCount } = await run((options) =>
    tasks.bulkWrite(writes, { ...options, ordered: false }),
  );
  if (matchedCount === leases.length) return leases.map(() => 'released');
  const filter = { _id: { $in: leases.map(({ id }) => id) }, releasedBy: by };
  const found = await find(tasks, filter, { projection: { _id: 1 } });
  const ids = new Set(found.map(({ _id }) => _id));
  return leases.map(({ id }) => (ids.has(id) ? 'released' : 'lost'));
}

/** What is to be done alike: leases with one token, which a single claim has given, and with the same key. */
export function grouped<T extends LeaseRef>(leases: readonly T[], keyOf: (lease: T) => string) {
  const groups = Map.groupBy(leases, (lease) => `${lease.token} ${keyOf(lease)}`);
  return [...groups.values()].map((all) => {
    const [first] = all as [T, ...T[]];
    const filter = { _id: { $in: all.map(({ id }) => id) }, token: first.token };
    return { filter, first, all };
  });
}
