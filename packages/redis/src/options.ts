import type { AdapterOptions, Without } from '@sched/core/adapter';
import {
  checkName,
  checkSetting,
  checkUrl,
  checkWhole,
  readAdapterOptions,
  theOneGiven,
} from '@sched/core/adapter';
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

interface CommonOptions extends AdapterOptions {
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
  /** `true` accepts a server that may evict tasks when its memory is full. Default `false`. */
  readonly allowEviction?: boolean;
  /** Told what is wrong with the server. Default: `process.emitWarning`. */
  readonly onWarning?: (warning: RedisWarning) => void;
}

/** The store uses a client of the user's own, and neither closes nor configures it. */
export interface RedisClientOptions
  extends CommonOptions,
    Without<'url' | 'connection' | 'cluster' | 'database'> {
  /** A `Redis` or `Cluster` of ioredis. */
  readonly client: RedisClient;
}

/** The store makes a client of its own. */
export interface RedisUrlOptions
  extends CommonOptions,
    Without<'client' | 'connection' | 'cluster'> {
  /** `redis://user:password@host:6379/0`, or `rediss://` for TLS. */
  readonly url: string;
  /** The number of the database. Default: the one in the URL, or 0. */
  readonly database?: number;
}

/** The store makes a client of its own. */
export interface RedisConnectionOptions
  extends CommonOptions,
    Without<'client' | 'url' | 'cluster'> {
  /** What `new Redis` of ioredis takes: host and port, a path, TLS, or Sentinels and the name of their master. */
  readonly connection: RedisOptions;
  /** The number of the database. Default: `connection.db`, or 0. */
  readonly database?: number;
}

/** The store makes a client of its own. */
export interface RedisClusterOptions
  extends CommonOptions,
    Without<'client' | 'url' | 'connection' | 'database'> {
  /** What `new Cluster` of ioredis takes: some of the nodes, from which it learns of the others, and its options. */
  readonly cluster: { readonly nodes: readonly ClusterNode[]; readonly options?: ClusterOptions };
}

export type RedisDataStoreOptions =
  | RedisClientOptions
  | RedisUrlOptions
  | RedisConnectionOptions
  | RedisClusterOptions;

/** @throws SchedError `SCHED_STORE_CONFIG`, naming the setting */
export function readOptions(options: RedisDataStoreOptions) {
  const settings = readAdapterOptions('RedisDataStore', options, {
    ...{ client: undefined, url: undefined, connection: undefined, cluster: undefined },
    ...{ database: undefined, namespace: 'sched', keyPrefix: '', shards: undefined },
    ...{ migrate: true, allowEviction: false, onWarning: warn },
  });
  const { namespace, keyPrefix, shards = 1 } = settings;
  checkName('namespace', namespace, /^[\w-]{1,64}$/, '1 to 64 letters, digits, _ and -');
  checkName('keyPrefix', keyPrefix, /^[\w.:/-]{0,64}$/, 'at most 64 letters, digits and _.:/-');
  checkWhole('shards', shards, 1, 256);
  /** Which option says where the server is. */
  const source = readSource(options);
  return { ...settings, source, options };
}

/** The options with their defaults, checked. */
export type Settings = ReturnType<typeof readOptions>;

function warn({ kind, message }: RedisWarning): void {
  process.emitWarning(message, { type: 'RedisWarning', code: kind });
}

function readSource(options: RedisDataStoreOptions) {
  const { client, url, connection, cluster, database } = options;
  const source = theOneGiven({ client, url, connection, cluster });
  checkSetting(
    client === undefined || typeof client.evalsha === 'function',
    'client must be a Redis or Cluster of ioredis.',
  );
  if (url !== undefined) {
    const example = 'redis://user:password@host:port/database, or rediss:// for TLS';
    checkUrl('url', url, ['redis:', 'rediss:'], example);
    checkSetting(/^\/?\d*$/.test(new URL(url).pathname), `url must look like ${example}.`);
  }
  if (database !== undefined) {
    checkSetting(
      url !== undefined || connection !== undefined,
      `database cannot be given along with ${source}.`,
    );
    checkWhole('database', database, 0);
  }
  return source;
}
