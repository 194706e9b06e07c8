/** The part of a connection of `pg`, or of its pool, that runs statements. */
export interface PgQueryable {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: readonly PgRow[] }>;
}

/** A row as `pg` gives it: values by the names of their columns. */
// biome-ignore lint/suspicious/noExplicitAny: what `pg` itself says, so that its classes fit.
export type PgRow = Record<string, any>;

/** The part of a `Client` of `pg` that is used: one of the user's own fits. */
export interface PgClient extends PgQueryable {
  /** What the server, or a pooler before it, said that its process is called. */
  readonly processID?: number | null;
  /** `I` outside a transaction. Since pg 8.20. */
  getTransactionStatus?(): string | null;
}

/** A client on loan from a pool. */
export interface PgPoolClient extends PgClient {
  on?(event: 'error', listener: () => void): unknown;
  off?(event: 'error', listener: () => void): unknown;
  release(destroy?: boolean): void;
}

/** The part of a `Pool` of `pg` that is used: one of the user's own fits. */
export interface PgPool extends PgQueryable {
  connect(): Promise<PgPoolClient>;
  readonly totalCount: number;
  /** What the pool makes its connections with. */
  readonly options?: object;
}

/** How to connect: what a `Pool` of `pg` takes. See https://node-postgres.com/apis/pool */
export interface PgConnectionOptions {
  readonly connectionString?: string;
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  readonly password?: string | (() => string | Promise<string>);
  readonly database?: string;
  readonly ssl?: boolean | object;
  /** The most connections. Default 10. */
  readonly max?: number;
  readonly [option: string]: unknown;
}

/** What a transaction of the user's is joined through. */
export const joinable = 'a client of pg';

export function isPool(value: PgQueryable): value is PgPool {
  return 'totalCount' in value;
}

export function isQueryable(value: unknown): value is PgQueryable {
  return typeof (value as Partial<PgQueryable> | null | undefined)?.query === 'function';
}
