import type { SqliteDatabase, SqliteStatement, SqliteValue } from './client.js';

/** A connection with its prepared statements. Everything here is synchronous. */
export interface Session {
  readonly database: SqliteDatabase;
  /** Rows are arrays of their columns: a third of the cost of objects, of which a claim makes many. */
  all<Row extends readonly unknown[]>(sql: string, ...values: SqliteValue[]): Row[];
  get<Row extends readonly unknown[]>(sql: string, ...values: SqliteValue[]): Row | undefined;
  /** @returns how many rows changed */
  run(sql: string, ...values: SqliteValue[]): number;
  /**
   * Takes the next number of a counter. A transaction reads and writes the counter once, however many it takes.
   *
   * @param read gives the number that was taken last
   * @param write replaces it
   */
  take(read: string, write: string): number;
  /** Does all of `work` or nothing of it. Not to be nested. */
  transaction<T>(work: () => T): T;
  /** Has every statement prepared again. */
  forget(): void;
}

/** @param isNested whether it lives inside a transaction of the user's, and undoes no more than its own part of it */
export function createSession(database: SqliteDatabase, isNested = false): Session {
  const [begin, commit, ...undo] = isNested
    ? (['SAVEPOINT sched', 'RELEASE sched', 'ROLLBACK TO sched', 'RELEASE sched'] as const)
    : (['BEGIN IMMEDIATE', 'COMMIT', 'ROLLBACK'] as const);
  const statements = new Map<string, SqliteStatement>();
  /** The last number that the transaction has taken of each counter, by what writes it. */
  const taken = new Map<string, number>();

  function prepare(sql: string): SqliteStatement {
    const known = statements.get(sql);
    if (known) return known;
    const statement = database.prepare(sql);
    // A connection of the user's own may be set to give these.
    statement.setReadBigInts(false);
    statement.setReturnArrays?.(true);
    statements.set(sql, statement);
    return statement;
  }

  function get<Row extends readonly unknown[]>(sql: string, ...values: SqliteValue[]) {
    const row = prepare(sql).get(...values);
    return row ? toArray<Row>(row) : undefined;
  }

  return {
    database,
    all<Row extends readonly unknown[]>(sql: string, ...values: SqliteValue[]) {
      const rows = prepare(sql).all(...values);
      return rows.length === 0 || Array.isArray(rows[0]) ? (rows as Row[]) : rows.map(toArray<Row>);
    },
    get,
    run: (sql, ...values) => Number(prepare(sql).run(...values).changes),
    take(read, write) {
      const number = (taken.get(write) ?? get<[number]>(read)?.[0] ?? 0) + 1;
      taken.set(write, number);
      return number;
    },
    transaction(work) {
      taken.clear();
      prepare(begin).run();
      try {
        const result = work();
        for (const [sql, last] of taken) prepare(sql).run(last);
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

/** The file of the database, empty when it is in memory or temporary. */
export function fileOf(session: Session): string {
  // The first is the main one. https://www.sqlite.org/pragma.html#pragma_database_list
  return String(session.get('PRAGMA database_list')?.[2] ?? '');
}

/** Before Node 24.0 rows are always objects, with their columns in order. */
function toArray<Row extends readonly unknown[]>(row: unknown): Row {
  return (Array.isArray(row) ? row : Object.values(row as object)) as unknown as Row;
}
