import type { AdapterOptions, Without } from '@sched/core/adapter';
import {
  checkSetting,
  checkSqlName,
  checkUrl,
  readAdapterOptions,
  theOneGiven,
} from '@sched/core/adapter';
import type {
  MysqlCallbacks,
  MysqlConnection,
  MysqlConnectionOptions,
  MysqlPool,
} from './client.js';
import { isConnection, isPool, promising } from './client.js';

interface CommonOptions extends AdapterOptions {
  /** What the names of the tables begin with. Up to 31 of `a-z`, `0-9` and `_`. Default `sched`. */
  readonly namespace?: string;
}

/** The store makes a pool of its own. */
export interface MysqlUrlOptions extends CommonOptions, Without<'connection' | 'pool'> {
  /** `mysql://user:password@host:port/database` */
  readonly url: string;
}

/** The store makes a pool of its own. */
export interface MysqlConnectOptions extends CommonOptions, Without<'url' | 'pool'> {
  /** What `createPool` of `mysql2` takes. */
  readonly connection: MysqlConnectionOptions;
}

/** The store shares a pool of the user's own, and neither ends nor configures it. */
export interface MysqlPoolOptions extends CommonOptions, Without<'url' | 'connection'> {
  /** A pool of `mysql2`, or a connection that is used for nothing else. */
  readonly pool:
    | MysqlPool
    | MysqlConnection
    | MysqlCallbacks<MysqlPool>
    | MysqlCallbacks<MysqlConnection>;
}

export type MysqlDataStoreOptions = MysqlUrlOptions | MysqlConnectOptions | MysqlPoolOptions;

/** @throws SchedError `SCHED_STORE_CONFIG`, naming the setting */
export function readOptions(options: MysqlDataStoreOptions) {
  const settings = readAdapterOptions('MysqlDataStore', options, {
    ...{ url: undefined, connection: undefined, pool: undefined },
    ...{ namespace: 'sched', migrate: true },
  });
  const { url, connection, namespace } = settings;
  /** The option that says where the database is, for messages. */
  const source = theOneGiven({ url, connection, pool: settings.pool });
  const pool = promising(settings.pool);
  checkSetting(
    pool === undefined || isPool(pool) || isConnection(pool),
    'pool must be a pool or a connection of mysql2.',
  );
  if (url !== undefined) {
    checkUrl('url', url, ['mysql:'], 'mysql://user:password@host:3306/database');
  }
  checkSqlName('namespace', namespace);
  return {
    ...{ ...settings, source, pool },
    connection: url === undefined ? (connection ?? {}) : { uri: url },
  };
}

/** The options with their defaults, checked. */
export type Settings = ReturnType<typeof readOptions>;
