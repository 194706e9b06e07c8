import type { HistoryEntry, Lease, NewTaskRecord, TaskFilter, TaskStatus } from '@sched/core';
import type { TaskChange } from '@sched/core/adapter';

/** The numbers of members of a record, as the scripts count them. */
const [queueIn, groupIn, nameIn, pausedIn, statusIn, runIn, bodyIn] = [2, 3, 4, 6, 8, 9, 10];

/** Makes of a text one that has no space in it. */
export const encodeText = (text: string) =>
  /[ %]/.test(text) ? text.replace(/[ %]/g, encodeURIComponent) : text;

export const decodeText = (text: string) =>
  text.includes('%') ? text.replace(/%20|%25/g, decodeURIComponent) : text;

/** Of a group that has no name, too, something is left. */
export const encodeGroup = (group: string | null | undefined) =>
  typeof group === 'string' ? `=${encodeText(group)}` : '';

/** A moment in 17 characters, which are in the order of time; nothing for none. */
export function encodeMoment(at: number | null): string {
  if (at === null) return '';
  return at < 0 ? `-${String(at + 9e15).padStart(16, '0')}` : String(at).padStart(17, '0');
}

export function decodeMoment(text: string): number | null {
  if (text === '') return null;
  return text.startsWith('-') ? -Number(text) - 9e15 : Number(text);
}

/** The record but for its revision; its place in the index, or nothing; its group, or nothing. */
export function encodeNew(record: NewTaskRecord): [rest: string, place: string, group: string] {
  const { status, paused, body } = record;
  const [queue, group] = [encodeText(record.queue), encodeGroup(record.group)];
  const runAt = encodeMoment(record.runAt);
  const flag = paused ? '1' : '';
  const rest = `${queue} ${group} ${encodeText(record.name)}  ${flag}  ${status} ${runAt} ${body}`;
  const isAwake = status === 'scheduled' && !paused && runAt !== '';
  return [rest, isAwake ? `${queue} ${runAt}` : '', group];
}

/** How many members change, and of each its number and what it becomes. */
export function encodeChange({ name, queue, group, status, runAt, body }: TaskChange) {
  const changes: (string | number)[] = [];
  if (queue !== undefined) changes.push(queueIn, encodeText(queue));
  if (group !== undefined) changes.push(groupIn, encodeGroup(group));
  if (name !== undefined) changes.push(nameIn, encodeText(name));
  if (status !== undefined) changes.push(statusIn, status);
  if (runAt !== undefined) changes.push(runIn, encodeMoment(runAt));
  if (body !== undefined) changes.push(bodyIn, body);
  return [changes.length / 2, ...changes];
}

/** What a listing asks for beside a group that has an index: how many conditions, and of each member and value. */
export function encodeFilter({ group, name, queue, status, paused, leased }: TaskFilter) {
  const conditions: (string | number)[] = [];
  if (queue !== undefined) conditions.push(queueIn, encodeText(queue));
  if (group === null) conditions.push(groupIn, '');
  if (name !== undefined) conditions.push(nameIn, encodeText(name));
  if (paused !== undefined) conditions.push(pausedIn, paused ? '1' : '');
  if (status !== undefined) conditions.push(statusIn, status);
  if (leased !== undefined) conditions.push(0, leased ? '1' : '');
  return [conditions.length / 2, ...conditions];
}

/** What a lease says of its task. */
export interface Hold {
  readonly lease: Lease | null;
  readonly deliveries: number;
}

export const unheld: Hold = { lease: null, deliveries: 0 };

export function decodeLease(text: string | null): Hold {
  if (text === null) return unheld;
  const [token, , , expiresAt = '', deliveries, , owner = ''] = split(text, 6);
  const end = decodeMoment(expiresAt);
  const lease = end === null ? null : { token: Number(token), owner, expiresAt: end };
  return { lease, deliveries: Number(deliveries) };
}

export function decodeTask<H extends Hold>(id: string, record: string, hold: H) {
  const fields = split(record, 9);
  const [revision, queue = '', group = '', name = '', resumedAt = ''] = fields;
  const [, , , , , flag, , status, runText = '', body = ''] = fields;
  const [runAt, paused] = [decodeMoment(runText), flag === '1'];
  const isAwake = status === 'scheduled' && !paused;
  return {
    id,
    name: decodeText(name),
    queue: decodeText(queue),
    group: group === '' ? null : decodeText(group.slice(1)),
    status: status as TaskStatus,
    paused,
    runAt,
    body,
    resumedAt: decodeMoment(resumedAt),
    revision: Number(revision),
    wakeAt: isAwake ? (hold.lease?.expiresAt ?? runAt) : null,
    ...hold,
  };
}

/** The first members of a text, and what is left of it. */
function split(text: string, count: number): string[] {
  const parts = text.split(' ', count);
  let length = count;
  for (const part of parts) length += part.length;
  parts.push(text.slice(length));
  return parts;
}

/** Entries, each with a number that says which was added later. */
export function decodeHistory(
  taskId: string,
  found: readonly string[],
): { readonly entry: HistoryEntry; readonly sequence: number }[] {
  return found.map((text) => {
    const [sequence, id = '', at, body = ''] = split(text, 3);
    return {
      entry: { taskId, id: decodeText(id), at: Number(at), body },
      sequence: Number(sequence),
    };
  });
}
