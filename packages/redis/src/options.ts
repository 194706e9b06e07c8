import type { DataStoreOptions } from '@sched/core';
import { checkMembers, SchedError } from '@sched/core';
import type { ClusterNode, ClusterOptions, RedisOptions } from 'ioredis';
import type { RedisClient } from './client.js';

/** Something about the server that an operator should know. */
export interface RedisWarning {
  /**
   * `notPersistent`: the server keeps neither an append-only file nor snapshots, so its tasks end with its process.
   * `unchecked`: this user may not run `INFO`, so nothing is known about the server.
   */
  readonly kind: 'notPersistent' | 'unchecked';
  readonly message: string;
}

interface CommonOptions extends DataStoreOptions {
  /** Stores of different namespaces share nothing. Up to 64 letters, digits, `_` and `-`. Default `sched`. */
  readonly namespace?: string;
  /**
   * What every key and the channel begin with, for servers where names are agreed upon or access is granted by prefix.
   * Up to 64 letters, digits and `_.:/-`. Default none.
   */
  readonly keyPrefix?: string;
  /**
   * Over how many parts the tasks are spread, each a slot of a cluster: 1 to 256. A namespace keeps the number that it
   * was created with. Default: that number, and 1 for a new namespace.
   */
  readonly shards?: number;
  /** `false` creates nothing: the namespace must be there and current. Default `true`. */
  readonly migrate?: boolean;
  /** `true` accepts a server that may evict tasks when its memory is full. Default `false`. */
  readonly allowEviction?: boolean;
  /** Told what is wrong with the server. Default: `process.emitWarning`. */
  readonly onWarning?: (warning: RedisWarning) => void;
}

/** The store uses a client of the user's own, and neither closes nor configures it. */
export interface RedisClientOptions extends CommonOptions {
  /** A `Redis` or `Cluster` of ioredis. */
  readonly client: RedisClient;
  readonly url?: never;
  readonly connection?: never;
  readonly cluster?: never;
  readonly database?: never;
}

/** The store makes a client of its own. */
export interface RedisUrlOptions extends CommonOptions {
  /** `redis://user:password@host:6379/0`, or `rediss://` for TLS. */
  readonly url: string;
  readonly client?: never;
  readonly connection?: never;
  readonly cluster?: never;
  /** The number of the database. Default: the one in the URL, or 0. */
  readonly database?: number;
}

/** The store makes a client of its own. */
export interface RedisConnectionOptions extends CommonOptions {
  /** What `new Redis` of ioredis takes: host and port, a path, TLS, or Sentinels and the name of their master. */
  readonly connection: RedisOptions;
  readonly client?: never;
  readonly url?: never;
  readonly cluster?: never;
  /** The number of the database. Default: `connection.db`, or 0. */
  readonly database?: number;
}

/** The store makes a client of its own. */
export interface RedisClusterOptions extends CommonOptions {
  /** What `new Cluster` of ioredis takes: some of the nodes, from which it learns of the others, and its options. */
  readonly cluster: { readonly nodes: readonly ClusterNode[]; readonly options?: ClusterOptions };
  readonly client?: never;
  readonly url?: never;
  readonly connection?: never;
  readonly database?: never;
}

export type RedisDataStoreOptions =
  | RedisClientOptions
  | RedisUrlOptions
  | RedisConnectionOptions
  | RedisClusterOptions;

/** Which option says where the server is. */
type Source = 'client' | 'url' | 'connection' | 'cluster';

const optionNames = [
  'client',
  'url',
  'connection',
  'cluster',
  'database',
  'namespace',
  'keyPrefix',
  'shards',
  'migrate',
  'allowEviction',
  'onWarning',
  'clock',
  'historyLimit',
  'historyMaxAgeMs',
] satisfies readonly (keyof RedisDataStoreOptions)[];

/** The options with their defaults, checked. */
export interface Settings {
  readonly source: Source;
  readonly options: RedisDataStoreOptions;
  readonly namespace: string;
  readonly keyPrefix: string;
  readonly shards: number | undefined;
  readonly migrate: boolean;
  readonly allowEviction: boolean;
  readonly onWarning: (warning: RedisWarning) => void;
  readonly clock: (() => number) | undefined;
  readonly historyLimit: number;
  readonly historyMaxAgeMs: number;
}

/** @throws SchedError `SCHED_STORE_CONFIG`, naming the setting */
export function readOptions(options: RedisDataStoreOptions): Settings {
  checkMembers('The options of RedisDataStore', options, optionNames, 'SCHED_STORE_CONFIG');
  const {
    namespace = 'sched',
    keyPrefix = '',
    shards,
    migrate = true,
    allowEviction = false,
    onWarning = ({ kind, message }) =>
      process.emitWarning(message, { type: 'RedisWarning', code: kind }),
    clock,
    historyLimit = 100,
    historyMaxAgeMs = 7 * 24 * 3_600_000,
  } = options;
  checkName('namespace', namespace, /^[\w-]{1,64}$/, '1 to 64 letters, digits, _ and -');
  checkName('keyPrefix', keyPrefix, /^[\w.:/-]{0,64}$/, 'at most 64 letters, digits and _.:/-');
  checkNumber('shards', shards ?? 1, 1, 256);
  checkNumber('historyLimit', historyLimit, 0);
  checkNumber('historyMaxAgeMs', historyMaxAgeMs, 1);
  return {
    source: readSource(options),
    options,
    namespace,
    keyPrefix,
    shards,
    migrate,
    allowEviction,
    onWarning,
    clock,
    historyLimit,
    historyMaxAgeMs,
  };
}

function readSource(options: RedisDataStoreOptions): Source {
  const { client, url, connection, cluster, database } = options;
  const given = Object.entries({ client, url, connection, cluster }).flatMap(([name, value]) =>
    value === undefined ? [] : [name as Source],
  );
  const [source] = given;
  check(
    source !== undefined && given.length === 1,
    'Exactly one of client, url, connection and cluster must be given.',
  );
  check(
    client === undefined || typeof client.evalsha === 'function',
    'client must be a Redis or Cluster of ioredis.',
  );
  if (url !== undefined) checkUrl(url);
  if (database !== undefined) {
    check(
      url !== undefined || connection !== undefined,
      `database cannot be given along with ${source}.`,
    );
    checkNumber('database', database, 0);
  }
  return source;
}

/** Never shows the URL: it may hold a password. */
function checkUrl(url: string): void {
  const { protocol, pathname } = URL.canParse(url) ? new URL(url) : { protocol: '', pathname: '' };
  check(
    /^rediss?:$/.test(protocol) && /^\/?\d*$/.test(pathname),
    'url must be redis://user:password@host:port/database, or rediss:// for TLS; what is special in the user and the password percent-encoded.',
  );
}

function checkName(option: string, value: unknown, pattern: RegExp, what: string): void {
  check(
    typeof value === 'string' && pattern.test(value),
    `${option} must be ${what}, not ${JSON.stringify(value)?.slice(0, 80)}.`,
  );
}

function checkNumber(
  option: string,
  value: number,
  minimum: number,
  maximum = Number.POSITIVE_INFINITY,
): void {
  check(
    (Number.isInteger(value) || value === maximum) && value >= minimum && value <= maximum,
    `${option} must be a whole number of at least ${minimum}${maximum < 1000 ? ` and at most ${maximum}` : ''}, not ${value}.`,
  );
}

export function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new SchedError('SCHED_STORE_CONFIG', message);
}
