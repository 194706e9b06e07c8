import type { DataStoreOptions } from '@sched/core';
import { checkMembers, SchedError } from '@sched/core';
import type { PgConnectionOptions, PgPool, PgQueryable } from './client.js';
import { isQueryable } from './client.js';

interface CommonOptions extends DataStoreOptions {
  /** The schema that the tables are in, created if need be. Up to 31 of `a-z`, `0-9` and `_`. Default `public`. */
  readonly schema?: string;
  /** What the names of the tables begin with. Up to 31 of `a-z`, `0-9` and `_`. Default `sched`. */
  readonly namespace?: string;
  /** `false` creates and changes nothing: the tables must be there and current. Default `true`. */
  readonly migrate?: boolean;
  /**
   * Whether a pooler that gives each transaction another connection, such as PgBouncer in transaction mode, stands
   * before the server. Notifications do not pass it. Default: found out when the store is opened.
   */
  readonly pooler?: boolean;
  /**
   * Where to listen for notifications, on a connection of its own: a URL or options that lead to the server itself,
   * or `false` for nowhere. Default: where everything else goes, unless a pooler is there.
   */
  readonly listen?: string | PgConnectionOptions | false;
}

/** The store makes a pool of its own. */
export interface PostgresUrlOptions extends CommonOptions {
  /** `postgres://user:password@host:port/database` */
  readonly url: string;
  readonly connection?: never;
  readonly pool?: never;
}

/** The store makes a pool of its own. */
export interface PostgresConnectionOptions extends CommonOptions {
  /** What a `Pool` of `pg` takes. */
  readonly connection: PgConnectionOptions;
  readonly url?: never;
  readonly pool?: never;
}

/** The store shares a pool of the user's own, and neither ends nor configures it. */
export interface PostgresPoolOptions extends CommonOptions {
  /** A `Pool` of `pg`, or a connected `Client` that is used for nothing else. */
  readonly pool: PgPool | PgQueryable;
  readonly url?: never;
  readonly connection?: never;
}

export type PostgresDataStoreOptions =
  | PostgresUrlOptions
  | PostgresConnectionOptions
  | PostgresPoolOptions;

const optionNames = [
  'url',
  'connection',
  'pool',
  'listen',
  'schema',
  'namespace',
  'migrate',
  'pooler',
  'clock',
  'historyLimit',
  'historyMaxAgeMs',
] satisfies readonly (keyof PostgresDataStoreOptions)[];

/** The options with their defaults, checked. */
export interface Settings {
  /** The option that says where the database is, for messages. */
  readonly source: 'url' | 'connection' | 'pool';
  readonly pool: PgQueryable | undefined;
  readonly connection: PgConnectionOptions;
  readonly listen: PgConnectionOptions | false | undefined;
  readonly pooler: boolean | undefined;
  /** As it stands in SQL. */
  readonly schema: string;
  readonly namespace: string;
  /** What the names of the tables begin with, schema included, as it stands in SQL. */
  readonly prefix: string;
  readonly channel: string;
  readonly migrate: boolean;
  readonly clock: (() => number) | undefined;
  readonly historyLimit: number;
  readonly historyMaxAgeMs: number;
}

/** @throws SchedError `SCHED_STORE_CONFIG`, naming the setting */
export function readOptions(options: PostgresDataStoreOptions): Settings {
  const {
    url,
    connection,
    pool,
    listen,
    schema = 'public',
    namespace = 'sched',
    migrate = true,
    pooler,
    clock,
    historyLimit = 100,
    historyMaxAgeMs = 7 * 24 * 3_600_000,
  } = checkMembers('The options of PostgresDataStore', options, optionNames, 'SCHED_STORE_CONFIG');
  const given = { url, connection, pool };
  const [source, second] = Object.keys(given).filter(
    (key) => given[key as keyof typeof given] !== undefined,
  ) as Settings['source'][];
  check(source && !second, 'Exactly one of url, connection and pool must be given.');
  check(pool === undefined || isQueryable(pool), 'pool must be a Pool or a Client of pg.');
  checkName('schema', schema);
  checkName('namespace', namespace);
  checkNumber('historyLimit', historyLimit, 0);
  checkNumber('historyMaxAgeMs', historyMaxAgeMs, 1);
  return {
    source,
    pool,
    connection: url === undefined ? (connection ?? {}) : fromUrl('url', url),
    listen: typeof listen === 'string' ? fromUrl('listen', listen) : listen,
    pooler,
    schema: `"${schema}"`,
    namespace,
    prefix: `"${schema}".${namespace}`,
    channel: `${schema}.${namespace}`,
    migrate,
    clock,
    historyLimit,
    historyMaxAgeMs,
  };
}

/** What stands in the URL is not shown, for it may hold a password. */
function fromUrl(option: string, url: string): PgConnectionOptions {
  check(
    /^postgres(ql)?:$/.test(URL.parse(url)?.protocol ?? ''),
    `${option} must look like postgres://user:password@host:5432/database, with special characters percent-encoded.`,
  );
  return { connectionString: url };
}

function checkName(option: string, name: string): void {
  check(
    /^[a-z_][a-z0-9_]{0,30}$/.test(name),
    `${option} must be 1 to 31 of a-z, 0-9 and _, and not begin with a digit; not ${JSON.stringify(name)}.`,
  );
}

function checkNumber(option: string, value: number, minimum: number): void {
  check(
    value >= minimum && Math.trunc(value) === value,
    `${option} must be a whole number of at least ${minimum}, not ${value}.`,
  );
}

function check(condition: unknown, message: string): asserts condition {
  if (!condition) throw new SchedError('SCHED_STORE_CONFIG', message);
}
