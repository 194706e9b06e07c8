import { closeSync, mkdirSync, openSync } from 'node:fs';
import type { HistoryEntry, NewTaskRecord, TaskRecord, TaskSelector } from '@sched/core';
// @ts-expect-error It comes without types.
import { waitForLockSync } from 'fs-native-extensions';
import type { Key } from 'lmdb';
import { open } from 'lmdb';

/** A task as it is stored: what callers see, and what only the store needs. */
export interface StoredTask extends TaskRecord {
  /** Grows with each task: the order of listings. */
  readonly serial: number;
  /** The token of the last settlement. */
  readonly settledToken: number | null;
}

/** Opens what one LMDB directory holds. Keys are sorted, part by part. */
export function connect(path: string) {
  const root = open<number, string>({ path });
  const tasks = root.openDB<StoredTask, Key[]>({ name: 'tasks' });
  // From ['serial', serial], ['group', group, serial] and ['due', queue, wakeAt, serial] to ids.
  const index = root.openDB<string, Key[]>({ name: 'index' });
  const history = root.openDB<HistoryEntry[], Key[]>({ name: 'history' });
  return { root, tasks, index, history };
}

export type Database = ReturnType<typeof connect>;

/** Runs work while no other process writes. */
export function exclusively<T>(path: string, work: () => T): T {
  mkdirSync(path, { recursive: true });
  const file = openSync(`${path}/writer.lock`, 'a');
  try {
    waitForLockSync(file);
    return work();
  } finally {
    closeSync(file);
  }
}

/** The one counter behind serials, tokens and revisions. */
export function nextNumber({ root }: Database): number {
  const number = (root.get('counter') ?? 0) + 1;
  root.putSync('counter', number);
  return number;
}

/** LMDB takes no empty key. */
const keyOf = (id: string): Key[] => ['id', id];

export const get = ({ tasks }: Database, id: string) => tasks.get(keyOf(id));

export function insert(db: Database, record: NewTaskRecord): 'inserted' | 'exists' {
  if (get(db, record.id)) return 'exists';
  const fresh = { resumedAt: null, lease: null, deliveries: 0, wakeAt: null, settledToken: null };
  save(db, { ...record, ...fresh, serial: nextNumber(db), revision: nextNumber(db) });
  return 'inserted';
}

/** Writes a task in place of what it was before, with its entries in the index. */
export function save(db: Database, changed: StoredTask, before?: StoredTask): StoredTask {
  const { status, paused, lease, runAt } = changed;
  const wakeAt = status === 'scheduled' && !paused ? (lease?.expiresAt ?? runAt) : null;
  const task = { ...changed, wakeAt };
  if (before) for (const key of indexKeys(before)) db.index.removeSync(key);
  for (const key of indexKeys(task)) db.index.putSync(key, task.id);
  db.tasks.putSync(keyOf(task.id), task);
  return task;
}

export function remove(db: Database, task: StoredTask): void {
  for (const key of indexKeys(task)) db.index.removeSync(key);
  db.tasks.removeSync(keyOf(task.id));
}

/** The tasks in one part of the index, in its order, read as they are asked for. */
export function* tasksIn(db: Database, part: Key[], from = -Infinity, before = Infinity) {
  const range = { start: [...part, from], end: [...part, before] };
  for (const { value: id } of db.index.getRange(range)) {
    const task = get(db, id);
    if (task) yield task;
  }
}

export function select(db: Database, selector: TaskSelector): StoredTask[] {
  if ('ids' in selector) return [...new Set(selector.ids)].flatMap((id) => get(db, id) ?? []);
  return [...tasksIn(db, 'group' in selector ? ['group', selector.group] : ['serial'])];
}

/** The history of a task from a moment on, oldest first. */
export function entriesOf({ history }: Database, taskId: string, oldest: number): HistoryEntry[] {
  return (history.get(keyOf(taskId)) ?? []).filter(({ at }) => at >= oldest);
}

export function append(db: Database, entry: HistoryEntry, oldest: number, limit: number): void {
  const entries = entriesOf(db, entry.taskId, oldest);
  if (entries.some(({ id }) => id === entry.id)) return;
  const all = [...entries, entry].sort((a, b) => a.at - b.at);
  db.history.putSync(keyOf(entry.taskId), all.slice(Math.max(all.length - limit, 0)));
}

function indexKeys({ serial, queue, group, wakeAt }: StoredTask): Key[][] {
  const keys: Key[][] = [['serial', serial]];
  if (group !== null) keys.push(['group', group, serial]);
  if (wakeAt !== null) keys.push(['due', queue, wakeAt, serial]);
  return keys;
}
