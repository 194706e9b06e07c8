import type { TaskFilter } from '@sched/core';
import { filterColumns } from '@sched/core/adapter';
import type { MysqlValue } from './client.js';
import { columns, timeOr } from './procedures.js';

/** How many tasks one page of a listing looks at, so that it is answered in time however few of them match. */
const horizon = 10_000;

/** A statement, and the values of its placeholders. */
export type Statement = readonly [sql: string, ...values: MysqlValue[]];

/**
 * The statements that only read.
 *
 * @param p what the names of the tables begin with
 */
export function createStatements(p: string) {
  const indexOf = (group: TaskFilter['group']) =>
    typeof group === 'string' ? `${p}_group` : 'PRIMARY';
  return {
    now: (): Statement => [`SELECT ${timeOr('NULL')}`],

    /** Where a page of a listing has to end, or nothing where it need not. */
    horizon({ group }: TaskFilter, after: string | undefined): Statement {
      const [where, values] = conditions(typeof group === 'string' ? { group } : {}, null);
      return [
        `SELECT id FROM ${p}_tasks AS t FORCE INDEX (${indexOf(group)})
        WHERE ${beyond(after)} ${where} ORDER BY id LIMIT ${horizon}, 1`,
        ...(after === undefined ? [] : [after]),
        ...values,
      ];
    },

    list(
      filter: TaskFilter,
      time: number | null,
      after: string | undefined,
      last: string | null,
      limit: number,
    ): Statement {
      const [where, values] = conditions(filter, time);
      const end = last === null ? [] : [last];
      return [
        `SELECT ${columns} FROM ${p}_tasks AS t FORCE INDEX (${indexOf(filter.group)})
        WHERE ${beyond(after)} ${last === null ? '' : 'AND id <= ?'} ${where} ORDER BY id LIMIT ${limit}`,
        ...(after === undefined ? [] : [after]),
        ...end,
        ...values,
      ];
    },

    count(filter: TaskFilter, time: number | null): Statement {
      const [where, values] = conditions(filter, time);
      return [`SELECT COUNT(*) FROM ${p}_tasks AS t WHERE TRUE ${where}`, ...values];
    },

    history: (taskId: string, time: number | null, age: number, limit: number): Statement => [
      `SELECT id, at, body FROM ${p}_history FORCE INDEX (${p}_newest)
      WHERE task_id = ? AND at >= ${timeOr('?')} - ? ORDER BY at DESC, seq DESC LIMIT ${limit}`,
      taskId,
      time,
      age,
    ],
  };
}

/** The empty text is an id too, and before all others. */
const beyond = (after: string | undefined) => (after === undefined ? "id >= ''" : 'id > ?');

/** A filter as the end of a WHERE clause. */
function conditions(filter: TaskFilter, time: number | null): [string, MysqlValue[]] {
  const values: MysqlValue[] = [];
  const all = filterColumns(filter).map(([column, value]) => {
    if (value === null) return `AND t.${column} IS NULL `;
    values.push(typeof value === 'boolean' ? Number(value) : value);
    return `AND t.${column} = ? `;
  });
  if (filter.leased !== undefined) {
    all.push(`AND (t.lease_expires_at > ${timeOr('?')}) IS ${filter.leased ? '' : 'NOT '}TRUE `);
    values.push(time);
  }
  return [all.join(''), values];
}
