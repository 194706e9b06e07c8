import type { DataStoreOptions } from '@sched/core';
import { checkMembers, SchedError } from '@sched/core';
import type {
  MysqlCallbacks,
  MysqlConnection,
  MysqlConnectionOptions,
  MysqlPool,
} from './client.js';
import { isConnection, isPool, promising } from './client.js';

interface CommonOptions extends DataStoreOptions {
  /** What the names of tables and procedures begin with. Up to 31 of `a-z`, `0-9` and `_`. Default `sched`. */
  readonly namespace?: string;
  /** `false` creates and changes nothing: tables and procedures must be there and current. Default `true`. */
  readonly migrate?: boolean;
}

/** The store makes a pool of its own. */
export interface MysqlUrlOptions extends CommonOptions {
  /** `mysql://user:password@host:port/database` */
  readonly url: string;
  readonly connection?: never;
  readonly pool?: never;
}

/** The store makes a pool of its own. */
export interface MysqlConnectOptions extends CommonOptions {
  /** What `createPool` of `mysql2` takes. */
  readonly connection: MysqlConnectionOptions;
  readonly url?: never;
  readonly pool?: never;
}

/** The store shares a pool of the user's own, and neither ends nor configures it. */
export interface MysqlPoolOptions extends CommonOptions {
  /** A pool of `mysql2`, or a connection that is used for nothing else. */
  readonly pool:
    | MysqlPool
    | MysqlConnection
    | MysqlCallbacks<MysqlPool>
    | MysqlCallbacks<MysqlConnection>;
  readonly url?: never;
  readonly connection?: never;
}

export type MysqlDataStoreOptions = MysqlUrlOptions | MysqlConnectOptions | MysqlPoolOptions;

const optionNames = [
  'url',
  'connection',
  'pool',
  'namespace',
  'migrate',
  'clock',
  'historyLimit',
  'historyMaxAgeMs',
] satisfies readonly (keyof MysqlDataStoreOptions)[];

/** The options with their defaults, checked. */
export interface Settings {
  /** The option that says where the database is, for messages. */
  readonly source: 'url' | 'connection' | 'pool';
  readonly pool: MysqlPool | MysqlConnection | undefined;
  readonly connection: MysqlConnectionOptions;
  readonly namespace: string;
  readonly migrate: boolean;
  readonly clock: (() => number) | undefined;
  readonly historyLimit: number;
  readonly historyMaxAgeMs: number;
}

/** @throws SchedError `SCHED_STORE_CONFIG`, naming the setting */
export function readOptions(options: MysqlDataStoreOptions): Settings {
  const {
    url,
    connection,
    pool: given,
    namespace = 'sched',
    migrate = true,
    clock,
    historyLimit = 100,
    historyMaxAgeMs = 7 * 24 * 3_600_000,
  } = checkMembers('The options of MysqlDataStore', options, optionNames, 'SCHED_STORE_CONFIG');
  const sources = { url, connection, pool: given };
  const [source, second] = Object.keys(sources).filter(
    (key) => sources[key as keyof typeof sources] !== undefined,
  ) as Settings['source'][];
  check(source && !second, 'Exactly one of url, connection and pool must be given.');
  const pool = promising(given);
  check(
    pool === undefined || isPool(pool) || isConnection(pool),
    'pool must be a pool or a connection of mysql2.',
  );
  // What stands in the URL is not shown, for it may hold a password.
  check(
    url === undefined || URL.parse(url)?.protocol === 'mysql:',
    'url must look like mysql://user:password@host:3306/database, with special characters percent-encoded.',
  );
  check(
    /^[a-z_][a-z0-9_]{0,30}$/.test(namespace),
    `namespace must be 1 to 31 of a-z, 0-9 and _, and not begin with a digit; not ${JSON.stringify(namespace)}.`,
  );
  checkNumber('historyLimit', historyLimit, 0);
  checkNumber('historyMaxAgeMs', historyMaxAgeMs, 1);
  return {
    ...{ source, pool, namespace, migrate, clock, historyLimit, historyMaxAgeMs },
    connection: url === undefined ? (connection ?? {}) : { uri: url },
  };
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
