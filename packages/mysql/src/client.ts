/** A statement as `mysql2` takes it. */
export interface MysqlStatement {
  readonly sql: string;
  readonly values?: never[] | null;
  readonly rowsAsArray?: boolean;
  readonly typeCast?: (field: unknown, next: () => unknown) => unknown;
}

/** The part of a promise connection of `mysql2` that is used: one of the user's own fits. */
export interface MysqlConnection {
  readonly config?: { readonly typeCast?: unknown; readonly namedPlaceholders?: unknown };
  /** The connection itself, of which this is the half whose methods give promises. */
  readonly connection?: object;
  query(statement: MysqlStatement): Promise<readonly [unknown, unknown]>;
}

/** A connection on loan from a pool. */
export interface MysqlPoolConnection extends MysqlConnection {
  release(): void;
  destroy(): void;
}

/** The part of a promise pool of `mysql2` that is used: one of the user's own fits. */
export interface MysqlPool {
  getConnection(): Promise<MysqlPoolConnection>;
}

/** A pool or a connection whose methods take callbacks: its other half is used. */
export interface MysqlCallbacks<Promises> {
  promise(): Promises;
}

/** How to connect: what `createPool` of `mysql2` takes. See https://sidorares.github.io/node-mysql2/docs */
export interface MysqlConnectionOptions {
  readonly uri?: string;
  readonly host?: string;
  readonly port?: number;
  readonly socketPath?: string;
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
  readonly ssl?: string | object;
  /** The most connections. Default 10. */
  readonly connectionLimit?: number;
  readonly [option: string]: unknown;
}

export function isPool(value: unknown): value is MysqlPool {
  return has(value, 'getConnection');
}

export function isConnection(value: unknown): value is MysqlConnection {
  return has(value, 'query') && !isPool(value);
}

/** Of a pool or a connection whose methods take callbacks the half whose methods give promises. */
export function promising(value: unknown): unknown {
  return has(value, 'promise') ? (value as MysqlCallbacks<unknown>).promise() : value;
}

function has(value: unknown, method: string): boolean {
  return typeof (value as Record<string, unknown> | null | undefined)?.[method] === 'function';
}
