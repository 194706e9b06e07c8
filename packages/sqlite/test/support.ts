import { DatabaseSync } from 'node:sqlite';
import type { NewTaskRecord, SchedError, SchedErrorCode } from '@sched/core';
import { isSchedError } from '@sched/core';
import type { SqliteDatabase } from '@sched/sqlite';

/** A task that is due at 1000, in queue `q`. */
export function record(id: string, members: Partial<NewTaskRecord> = {}): NewTaskRecord {
  return {
    id,
    name: 'job',
    queue: 'q',
    group: null,
    status: 'scheduled',
    paused: false,
    runAt: 1000,
    body: '{}',
    ...members,
  };
}

export const claimAll = { queues: ['q'], limit: 1000, owner: 'me', leaseMs: 1000 };

/** The error that a call fails with, which must have this code. */
export async function failure(call: () => unknown, code: SchedErrorCode): Promise<SchedError> {
  let result: unknown;
  try {
    result = await call();
  } catch (error) {
    if (isSchedError(error, code)) return error;
    throw error;
  }
  throw new Error(`expected ${code}, but the call answered ${JSON.stringify(result)}`);
}

/** Every row of a query, on a connection of its own. */
export function query(path: string, sql: string): Record<string, unknown>[] {
  const database = new DatabaseSync(path);
  try {
    return database.prepare(sql).all();
  } finally {
    database.close();
  }
}

/** Leaves the event loop so many turns, in which others may run. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** A connection that notes every statement that it runs. */
export function listeningTo(database: DatabaseSync): SqliteDatabase & { readonly log: string[] } {
  const log: string[] = [];
  return {
    log,
    exec: (sql) => database.exec(sql),
    close: () => database.close(),
    get isTransaction() {
      return database.isTransaction;
    },
    prepare(sql) {
      const statement = database.prepare(sql);
      return new Proxy(statement, {
        get(target, key: 'all' | 'get' | 'run' | 'setReadBigInts') {
          const method = target[key].bind(target) as (...values: unknown[]) => unknown;
          return (...values: unknown[]) => {
            if (key !== 'setReadBigInts') log.push(sql);
            return method(...values);
          };
        },
      });
    },
  };
}
