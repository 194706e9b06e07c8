import type { SqliteDatabase, SqliteStatement, SqliteValue } from './client.js';

/** A connection with its prepared statements. Everything here is synchronous. */
export interface Session {
  all<Row>(sql: string, ...values: SqliteValue[]): Row[];
  get<Row>(sql: string, ...values: SqliteValue[]): Row | undefined;
  /** @returns how many rows changed */
  run(sql: string, ...values: SqliteValue[]): number;
  exec(sql: string): void;
  /** Whether a transaction is open; undefined on a Node that cannot tell. */
  isInTransaction(): boolean | undefined;
  /** Does all of `work` or nothing of it. Not to be nested. */
  transaction<T>(work: () => T): T;
  /** Has every statement prepared again, as is necessary after the connection was closed and opened. */
  forget(): void;
}

/** A session that begins and ends transactions. */
export function ownSession(database: SqliteDatabase): Session {
  return createSession(database, 'BEGIN IMMEDIATE', 'COMMIT', ['ROLLBACK']);
}

/** A session that lives inside a transaction of the user's, and undoes no more than its own part of it. */
export function nestedSession(database: SqliteDatabase): Session {
  return createSession(database, 'SAVEPOINT sched', 'RELEASE sched', [
    'ROLLBACK TO sched',
    'RELEASE sched',
  ]);
}

function createSession(
  database: SqliteDatabase,
  begin: string,
  commit: string,
  undo: readonly string[],
): Session {
  const statements = new Map<string, SqliteStatement>();

  function prepare(sql: string): SqliteStatement {
    const known = statements.get(sql);
    if (known) return known;
    const statement = database.prepare(sql);
    // A connection of the user's own may be set to give these unless told otherwise.
    statement.setReadBigInts(false);
    statement.setReturnArrays?.(false);
    statements.set(sql, statement);
    return statement;
  }

  return {
    all: <Row>(sql: string, ...values: SqliteValue[]) => prepare(sql).all(...values) as Row[],
    get: <Row>(sql: string, ...values: SqliteValue[]) =>
      prepare(sql).get(...values) as Row | undefined,
    run: (sql, ...values) => Number(prepare(sql).run(...values).changes),
    exec: (sql) => database.exec(sql),
    isInTransaction: () => database.isTransaction,
    transaction(work) {
      prepare(begin).run();
      try {
        const result = work();
        prepare(commit).run();
        return result;
      } catch (error) {
        try {
          for (const sql of undo) prepare(sql).run();
        } catch {
          // After some failures, such as a full disk, SQLite has undone the transaction by itself.
        }
        throw error;
      }
    },
    forget: () => statements.clear(),
  };
}
