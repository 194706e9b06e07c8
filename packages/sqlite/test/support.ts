import { DatabaseSync } from 'node:sqlite';
import type { SqliteDatabase } from '@sched/sqlite';

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
