/** Lists as parameters of statements, a column each: PostgreSQL takes those apart much faster than JSON. */

import type { NewTaskRecord, Settlement } from '@sched/core';

/** What is sent as it is, or texts that are to be joined. */
type Column = string | readonly string[];

/** The parameters of `insert`. */
export function columnsOfRecords(records: readonly NewTaskRecord[]): string[] {
  return joined(recordColumns(records));
}

/** The parameters of `settle`. */
export function columnsOfSettlements(settlements: readonly Settlement[]): string[] {
  const [noting, notes] = flattened(settlements.map(({ history }) => history));
  const [spawning, spawns] = flattened(settlements.map(({ spawn }) => spawn));
  return joined([
    settlements.map(({ id }) => id),
    arrayOf(settlements.map(({ token }) => token)),
    arrayOf(settlements.map(({ revision }) => revision)),
    arrayOf(settlements.map(({ next }) => next !== null)),
    settlements.map(({ next }) => next?.status ?? ''),
    arrayOf(settlements.map(({ next }) => next?.runAt)),
    settlements.map(({ next }) => next?.body ?? ''),
    arrayOf(settlements.map(({ next }) => next?.paused)),
    arrayOf(noting),
    notes.map(({ taskId }) => taskId),
    notes.map(({ id }) => id),
    arrayOf(notes.map(({ at }) => at)),
    notes.map(({ body }) => body),
    arrayOf(spawning),
    ...recordColumns(spawns),
  ]);
}

/** What most tasks of a call have in common is said once for as long as it stays the same. */
function recordColumns(records: readonly NewTaskRecord[]): Column[] {
  const kinds: Pick<NewTaskRecord, 'name' | 'queue' | 'group' | 'status' | 'paused'>[] = [];
  const kind = records.map(({ name, queue, group, status, paused }) => {
    const last = kinds.at(-1);
    const isSame =
      last?.name === name &&
      last.queue === queue &&
      last.group === group &&
      last.status === status &&
      last.paused === paused;
    return isSame ? kinds.length : kinds.push({ name, queue, group, status, paused });
  });
  return [
    records.map(({ id }) => id),
    JSON.stringify(kinds),
    arrayOf(kind),
    arrayOf(records.map(({ runAt }) => runAt)),
    records.map(({ body }) => body),
  ];
}

/** Numbers or truths, as PostgreSQL writes an array. */
export function arrayOf(values: readonly (number | string | boolean | null | undefined)[]): string {
  return `{${values.map((value) => value ?? 'NULL').join()}}`;
}

/** All of several lists, and of which list each is: the first is 1. */
function flattened<T>(lists: readonly (readonly T[])[]): [of: number[], items: readonly T[]] {
  return [lists.flatMap((list, index) => list.map(() => index + 1)), lists.flat()];
}

/** Joins texts by something that none of them holds, which comes first. */
function joined(columns: readonly Column[]): string[] {
  const lists = columns.filter((column) => typeof column !== 'string');
  let separator = '\u001f';
  while (lists.some((texts) => texts.some((text) => text.includes(separator)))) {
    separator = crypto.randomUUID();
  }
  return [
    separator,
    ...columns.map((column) => (typeof column === 'string' ? column : column.join(separator))),
  ];
}
