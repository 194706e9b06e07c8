import type { AdapterOptions, Without } from '@sched/core/adapter';
import { checkName, checkSetting, readAdapterOptions, theOneGiven } from '@sched/core/adapter';
import type { MongoClientLike, MongoDocument } from './client.js';
import { isClient } from './client.js';

/** How many members have to have a write before it counts. See https://www.mongodb.com/docs/manual/reference/write-concern/ */
export interface MongoWriteConcern {
  readonly w?: number | string;
  readonly journal?: boolean;
  readonly wtimeoutMS?: number;
}

interface CommonOptions extends AdapterOptions {
  /** The database. Default: the one in the URL or the client's, which is `test` if there is none. */
  readonly database?: string;
  /**
   * The collection that the tasks are in, created if need be, and what the names of those beside it begin with:
   * `sched.history` and `sched.meta`. Up to 64 letters, digits, `_` and `-`. Default `sched`.
   */
  readonly collection?: string;
  /** The same as `collection`, by the name that other data stores have for it. */
  readonly namespace?: string;
  /** Default `{ w: 'majority', journal: true }`: what was acknowledged outlives the loss of the primary. */
  readonly writeConcern?: MongoWriteConcern;
}

/** The store makes a client of its own. */
export interface MongoUrlOptions extends CommonOptions, Without<'client'> {
  /** `mongodb://user:password@host:27017/database` or `mongodb+srv://…` */
  readonly url: string;
  /** What `new MongoClient` of `mongodb` takes besides. */
  readonly options?: MongoDocument;
}

/** The store uses a client of the user's own, and neither closes nor configures it. */
export interface MongoClientOptions extends CommonOptions, Without<'url' | 'options'> {
  /** A `MongoClient` of `mongodb`. */
  readonly client: MongoClientLike;
}

export type MongoDataStoreOptions = MongoUrlOptions | MongoClientOptions;

/** @throws SchedError `SCHED_STORE_CONFIG`, naming the setting */
export function readOptions(given: MongoDataStoreOptions) {
  const settings = readAdapterOptions('MongoDataStore', given, {
    ...{ url: undefined, options: undefined, client: undefined, database: undefined },
    ...{ namespace: 'sched', collection: undefined, migrate: true },
    writeConcern: { w: 'majority', journal: true },
  });
  const { url, client, database, namespace, collection = namespace } = settings;
  /** The option that says where the database is, for messages. */
  const source = theOneGiven({ url, client });
  checkSetting(
    client === undefined || isClient(client),
    'client must be a MongoClient of mongodb.',
  );
  // What stands in the URL is not shown, for it may hold a password.
  checkSetting(
    url === undefined || /^mongodb(\+srv)?:\/\/./.test(url),
    'url must look like mongodb://user:password@host:27017/database, with special characters percent-encoded.',
  );
  if (database !== undefined) {
    const form = '1 to 63 characters without spaces and /\\."$*<>:|?';
    checkName('database', database, /^[^\0-\x20/\\."$*<>:|?]{1,63}$/, form);
  }
  checkName(
    settings.collection === undefined ? 'namespace' : 'collection',
    collection,
    /^(?!system)[A-Za-z_][\w-]{0,63}$/,
    '1 to 64 letters, digits, _ and -, and begin with a letter or _',
  );
  return { ...settings, source, collection };
}

/** The options with their defaults, checked. */
export type Settings = ReturnType<typeof readOptions>;
