import type { AdapterOptions, Without } from '@sched/core/adapter';
import {
  checkSetting,
  checkSqlName,
  checkUrl,
  readAdapterOptions,
  theOneGiven,
} from '@sched/core/adapter';
import type { PgConnectionOptions, PgPool, PgQueryable } from './client.js';
import { isQueryable } from './client.js';

interface CommonOptions extends AdapterOptions {
  /** The schema that the tables are in, created if need be. Up to 31 of `a-z`, `0-9` and `_`. Default `public`. */
  readonly schema?: string;
  /** What the names of the tables begin with. Up to 31 of `a-z`, `0-9` and `_`. Default `sched`. */
  readonly namespace?: string;
  /**
   * Whether a pooler that gives each transaction another connection, such as PgBouncer in transaction mode, stands
   * before the server. Notifications do not pass it, and no statement is prepared. Default: found out when the store is
   * opened.
   */
  readonly pooler?: boolean;
  /**
   * Where to listen for notifications, on a connection of its own: a URL or options that lead to the server itself,
   * or `false` for nowhere. Default: where everything else goes, unless a pooler is there.
   */
  readonly listen?: string | PgConnectionOptions | false;
}

/** The store makes a pool of its own. */
export interface PostgresUrlOptions extends CommonOptions, Without<'connection' | 'pool'> {
  /** `postgres://user:password@host:port/database` */
  readonly url: string;
}

/** The store makes a pool of its own. */
export interface PostgresConnectionOptions extends CommonOptions, Without<'url' | 'pool'> {
  /** What a `Pool` of `pg` takes. */
  readonly connection: PgConnectionOptions;
}

/** The store shares a pool of the user's own, and neither ends nor configures it. */
export interface PostgresPoolOptions extends CommonOptions, Without<'url' | 'connection'> {
  /** A `Pool` of `pg`, or a connected `Client` that is used for nothing else. */
  readonly pool: PgPool | PgQueryable;
}

export type PostgresDataStoreOptions =
  | PostgresUrlOptions
  | PostgresConnectionOptions
  | PostgresPoolOptions;

/** @throws SchedError `SCHED_STORE_CONFIG`, naming the setting */
export function readOptions(options: PostgresDataStoreOptions) {
  const settings = readAdapterOptions('PostgresDataStore', options, {
    ...{ url: undefined, connection: undefined, pool: undefined, listen: undefined },
    ...{ pooler: undefined, schema: 'public', namespace: 'sched', migrate: true },
  });
  const { url, connection = {}, pool, listen, schema, namespace } = settings;
  checkSetting(pool === undefined || isQueryable(pool), 'pool must be a Pool or a Client of pg.');
  checkSqlName('schema', schema);
  checkSqlName('namespace', namespace);
  return {
    ...settings,
    /** The option that says where the database is, for messages. */
    source: theOneGiven({ url, connection: settings.connection, pool }),
    connection: url === undefined ? connection : fromUrl('url', url),
    listen: typeof listen === 'string' ? fromUrl('listen', listen) : listen,
    /** As it stands in SQL. */
    schema: `"${schema}"`,
    /** What the names of the tables begin with, schema included, as it stands in SQL. */
    prefix: `"${schema}".${namespace}`,
    channel: `${schema}.${namespace}`,
  };
}

/** The options with their defaults, checked. */
export type Settings = ReturnType<typeof readOptions>;

function fromUrl(option: string, url: string): PgConnectionOptions {
  const example = 'postgres://user:password@host:5432/database';
  checkUrl(option, url, ['postgres:', 'postgresql:'], example);
  return { connectionString: url };
}
