import type { HistoryEntry, NewTaskRecord, TaskFilter, TaskRecord, TaskStatus } from '@sched/core';
import type { TaskChange } from '@sched/core/adapter';

/** A task as it is stored, but for its body. Numbers are decimal text; what is null or false is absent. */
interface Envelope {
  readonly name: string;
  readonly queue: string;
  readonly group?: string;
  readonly status: TaskStatus;
  readonly paused?: true;
  readonly runAt?: string;
  readonly resumedAt?: string;
  readonly token?: string;
  readonly owner?: string;
  readonly expiresAt?: string;
  readonly deliveries?: number;
  readonly revision: string;
}

type Change = TaskChange & { readonly paused?: boolean };

/** The members that are to change, as the scripts merge them: null removes. */
export function encodeChange({ name, queue, group, status, runAt, paused }: Change): string {
  return JSON.stringify({
    ...{ name, queue, group, status, paused },
    runAt: typeof runAt === 'number' ? String(runAt) : runAt,
  });
}

/** Id, envelope and body. */
export function encodeNew({ id, group, paused, runAt, ...record }: NewTaskRecord): string[] {
  const present = {
    ...record,
    ...(group !== null && { group }),
    ...(paused && { paused }),
    ...(runAt !== null && { runAt }),
  };
  return [id, encodeChange(present), record.body];
}

export function decodeTask(id: string, envelope: string, body: string): TaskRecord {
  const stored: Envelope = JSON.parse(envelope);
  const { name, queue, group = null, status, paused = false, deliveries = 0 } = stored;
  const { token, owner = '', expiresAt } = stored;
  const runAt = decodeNumber(stored.runAt);
  const lease =
    token === undefined ? null : { token: Number(token), owner, expiresAt: Number(expiresAt) };
  const isAwake = status === 'scheduled' && !paused;
  return {
    ...{ id, name, queue, group, status, paused, runAt, body, lease, deliveries },
    resumedAt: decodeNumber(stored.resumedAt),
    revision: Number(stored.revision),
    wakeAt: isAwake ? (lease?.expiresAt ?? runAt) : null,
  };
}

function decodeNumber(text: string | undefined): number | null {
  return text === undefined ? null : Number(text);
}

/** What the index entries of a group begin with, or those of all tasks. */
export function prefixOf(group: string | null | undefined): string {
  if (typeof group !== 'string') return ':';
  return `${Buffer.byteLength(group)}:${group}:`;
}

/** The members of an envelope that a listing asks for beside a group, which has an index; null where absent. */
export function encodeFilter({ group, name, queue, status, paused, leased }: TaskFilter): string {
  return JSON.stringify({
    ...{ name, queue, status },
    group: group === null ? null : undefined,
    paused: paused === false ? null : paused,
    leased: leased === false ? null : leased,
  });
}

/** Entry ids, each followed by its moment, a number that says which was added later, and its body. */
export function decodeHistory(
  taskId: string,
  found: readonly string[],
): { readonly entry: HistoryEntry; readonly sequence: number }[] {
  return found.flatMap((text, index) => {
    if (index % 2 === 0) return [];
    const [at = '', sequence = ''] = text.split(' ', 2);
    const body = text.slice(at.length + sequence.length + 2);
    const entry = { taskId, id: found[index - 1] ?? '', at: Number(at), body };
    return [{ entry, sequence: Number(sequence) }];
  });
}
