import type { LeaseRef, Release } from '@sched/core';
import { inParts } from './batches.js';
import type { MongoDocument } from './client.js';
import type { TaskDocument } from './documents.js';
import { extended, released } from './pipelines.js';
import type { Session } from './session.js';
import type { StoreClock } from './store-clock.js';

const idOf = ({ id }: LeaseRef) => [id];

export async function extendLeases(
  session: Session,
  clock: StoreClock,
  leases: readonly LeaseRef[],
  leaseMs: number,
): Promise<(number | 'lost')[]> {
  const expiresAt = (await clock.now()) + leaseMs;
  const answers: (number | 'lost')[] = [];
  for (const part of inParts(leases, idOf)) {
    const writes = grouped(part, () => '').map(({ filter }) => ({
      updateMany: { filter, update: extended(expiresAt) },
    }));
    await session.run((options) => session.tasks.bulkWrite(writes, { ...options, ordered: false }));
    const ids = part.map(({ id }) => id);
    const projection = { token: 1, revision: 1 };
    const found = await session.find(session.tasks, { _id: { $in: ids } }, { projection });
    const held = new Map((found as TaskDocument[]).map((task) => [task._id, task]));
    for (const { id, token } of part) {
      const task = held.get(id);
      answers.push(task && task.token === token ? task.revision : 'lost');
    }
  }
  return answers;
}

export async function releaseLeases(
  session: Session,
  leases: readonly Release[],
): Promise<('released' | 'lost')[]> {
  const answers: ('released' | 'lost')[] = [];
  for (const part of inParts(leases, idOf)) {
    const by = crypto.randomUUID();
    const groups = grouped(part, ({ deferUntil }) => `${deferUntil}`);
    const writes = groups.map(({ filter, first }) => ({
      updateMany: { filter, update: released(by, first.deferUntil) },
    }));
    const { matchedCount } = await session.run((options) =>
      session.tasks.bulkWrite(writes, { ...options, ordered: false }),
    );
    if (matchedCount === part.length) {
      answers.push(...part.map((): 'released' => 'released'));
      continue;
    }
    const filter = { _id: { $in: part.map(({ id }) => id) }, releasedBy: by };
    const found = await session.find(session.tasks, filter, { projection: { _id: 1 } });
    const ids = new Set(found.map(({ _id }) => _id));
    answers.push(...part.map(({ id }) => (ids.has(id) ? 'released' : 'lost')));
  }
  return answers;
}

/** What is to be done alike: leases with one token, which a single claim has given, and with the same key. */
function grouped<T extends LeaseRef>(leases: readonly T[], keyOf: (lease: T) => string) {
  const groups = new Map<string, { filter: MongoDocument; first: T; ids: string[] }>();
  for (const lease of leases) {
    const key = `${lease.token} ${keyOf(lease)}`;
    const group = groups.get(key);
    if (group) {
      group.ids.push(lease.id);
    } else {
      const ids = [lease.id];
      groups.set(key, { filter: { _id: { $in: ids }, token: lease.token }, first: lease, ids });
    }
  }
  return [...groups.values()];
}
