import type {
  HistoryEntry,
  NewTaskRecord,
  Settlement,
  TaskFilter,
  TaskRecord,
  TaskStatus,
} from '@sched/core';
import type { TaskChange } from '@sched/core/adapter';

/** Of a script. Redis is sent numbers as text. */
export type Argument = string | number;

/** Makes of a text one that has no space in it. */
export const encodeText = (text: string) =>
  /[ %]/.test(text) ? text.replace(/[ %]/g, encodeURIComponent) : text;

export const decodeText = (text: string) =>
  text.includes('%') ? text.replace(/%20|%25/g, decodeURIComponent) : text;

/** Of a group that has no name, too, something is left. */
export const encodeGroup = (group: string | null | undefined) =>
  typeof group === 'string' ? `=${encodeText(group)}` : '';

const encodeFlag = (flag: boolean | undefined) => (flag ? '1' : '');

/** A moment in 17 characters, which are in the order of time; nothing for none. */
export function encodeMoment(at: number | null): string {
  if (at === null) return '';
  return at < 0 ? `-${String(at + 9e15).padStart(16, '0')}` : String(at).padStart(17, '0');
}

export function decodeMoment(text: string): number | null {
  if (text === '') return null;
  return text.startsWith('-') ? -Number(text) - 9e15 : Number(text);
}

/** What `insert` takes of a task after its id. */
export function encodeNew(record: NewTaskRecord): string[] {
  const { status, paused, body } = record;
  const [queue, group] = [encodeText(record.queue), encodeGroup(record.group)];
  const runAt = encodeMoment(record.runAt);
  const name = encodeText(record.name);
  const rest = `${queue} ${group} ${name}  ${encodeFlag(paused)}  ${status} ${runAt}`;
  const isAwake = status === 'scheduled' && !paused && runAt !== '';
  return [rest, body, isAwake ? `${queue} ${runAt}` : '', group];
}

/** What `settle` takes of a settlement first. */
export function encodeSettlement({ token, revision, next }: Settlement): string[] {
  const fences = [`${token}`, `${revision}`];
  if (!next) return [...fences, ''];
  return [...fences, next.status, encodeFlag(next.paused), encodeMoment(next.runAt), next.body];
}

export const encodeEntry = ({ id, at, body }: HistoryEntry) => `${encodeText(id)} ${at} ${body}`;

/** The members that a change or a filter names, as the scripts count them, and the value of each. */
export function encodeMembers(members: TaskChange & TaskFilter): Argument[] {
  const { leased, queue, group, name, paused, status, runAt, body } = members;
  const encoded: Argument[] = [];
  if (leased !== undefined) encoded.push(0, encodeFlag(leased));
  if (queue !== undefined) encoded.push(6, encodeText(queue));
  if (group !== undefined) encoded.push(7, encodeGroup(group));
  if (name !== undefined) encoded.push(8, encodeText(name));
  if (paused !== undefined) encoded.push(10, encodeFlag(paused));
  if (status !== undefined) encoded.push(12, status);
  if (runAt !== undefined) encoded.push(13, encodeMoment(runAt));
  if (body !== undefined) encoded.push(14, body);
  return encoded;
}

/** The tasks of these ids, without those that do not exist. */
export const decodeTasks = (
  ids: readonly string[],
  records: readonly (string | null)[],
  bodies: readonly (string | null)[],
) =>
  ids.flatMap((id, index) => {
    const record = records[index];
    return record ? decodeTask(id, record, bodies[index] ?? '') : [];
  });

function decodeTask(id: string, record: string, body: string): TaskRecord {
  const [token, revision, end = '', deliveries, owner = '', ...rest] = record.split(' ');
  const [queue = '', group = '', name = '', resumedAt = '', flag, , status, at = ''] = rest;
  const [expiresAt, runAt, paused] = [decodeMoment(end), decodeMoment(at), flag === '1'];
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
    lease:
      expiresAt === null ? null : { token: Number(token), owner: decodeText(owner), expiresAt },
    deliveries: Number(deliveries),
    revision: Number(revision),
    wakeAt: status === 'scheduled' && !paused ? (expiresAt ?? runAt) : null,
  };
}

/** An entry, and a number that says which was added later. */
export function decodeEntry(taskId: string, text: string) {
  const [, sequence, id = '', at, body = ''] = /^(\d+) ([^ ]*) (\S+) (.*)$/s.exec(text) ?? [];
  const entry: HistoryEntry = { taskId, id: decodeText(id), at: Number(at), body };
  return { entry, sequence: Number(sequence) };
}
