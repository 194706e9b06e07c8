/** What a prepared statement takes and gives. */
export type SqliteValue = null | number | bigint | string | Uint8Array;

/** The part of `StatementSync` of `node:sqlite` that is used. */
export interface SqliteStatement {
  all(...values: SqliteValue[]): unknown[];
  get(...values: SqliteValue[]): unknown;
  run(...values: SqliteValue[]): { readonly changes: number | bigint };
  setReadBigInts(enabled: boolean): void;
  /** Since Node 24.0. */
  setReturnArrays?(enabled: boolean): void;
}

/** The part of `DatabaseSync` of `node:sqlite` that is used: a connection of the user's own fits. */
export interface SqliteDatabase {
  prepare(sql: string): SqliteStatement;
  exec(sql: string): void;
  close(): void;
  /** Whether a transaction is open on this connection. Since Node 22.16 and 24.0. */
  readonly isTransaction?: boolean;
}
