import type { DataStoreOptions } from '@sched/core';
import { checkMembers, SchedError } from '@sched/core';
import type { MongoClientLike, MongoDocument } from './client.js';
import { isClient } from './client.js';

/** How many members have to have a write before it counts. See https://www.mongodb.com/docs/manual/reference/write-concern/ */
export interface MongoWriteConcern {
  readonly w?: number | string;
  readonly journal?: boolean;
  readonly wtimeoutMS?: number;
}

interface CommonOptions extends DataStoreOptions {
  /** The database. Default: the one in the URL or the client's, which is `test` if there is none. */
  readonly database?: string;
  /**
   * The collection that the tasks are in, created if need be, and what the names of those beside it begin with:
   * `sched.history` and `sched.meta`. Up to 64 letters, digits, `_` and `-`. Default `sched`.
   */
  readonly collection?: string;
  /** The same as `collection`, by the name that other data stores have for it. */
  readonly namespace?: string;
  /** `false` creates nothing: the collections must be there and current. Default `true`. */
  readonly migrate?: boolean;
  /** Default `{ w: 'majority', journal: true }`: what was acknowledged outlives the loss of the primary. */
  readonly writeConcern?: MongoWriteConcern;
}

/** The store makes a client of its own. */
export interface MongoUrlOptions extends CommonOptions {
  /** `mongodb://user:password@host:27017/database` or `mongodb+srv://…` */
  readonly url: string;
  /** What `new MongoClient` of `mongodb` takes besides. */
  readonly options?: MongoDocument;
  readonly client?: never;
}

/** The store uses a client of the user's own, and neither closes nor configures it. */
export interface MongoClientOptions extends CommonOptions {
  /** A `MongoClient` of `mongodb`. */
  readonly client: MongoClientLike;
  readonly url?: never;
  readonly options?: never;
}

export type MongoDataStoreOptions = MongoUrlOptions | MongoClientOptions;

const optionNames = [
  'url',
  'options',
  'client',
  'database',
  'namespace',
  'collection',
  'migrate',
  'writeConcern',
  'clock',
  'historyLimit',
  'historyMaxAgeMs',
] satisfies readonly (keyof MongoDataStoreOptions)[];

/** The options with their defaults, checked. */
export interface Settings {
  /** The option that says where the database is, for messages. */
  readonly source: 'url' | 'client';
  readonly url: string;
  readonly options: MongoDocument;
  readonly client: MongoClientLike | undefined;
  readonly database: string | undefined;
  readonly collection: string;
  readonly migrate: boolean;
  readonly writeConcern: MongoWriteConcern;
  readonly clock: (() => number) | undefined;
  readonly historyLimit: number;
  readonly historyMaxAgeMs: number;
}

/** @throws SchedError `SCHED_STORE_CONFIG`, naming the setting */
export function readOptions(given: MongoDataStoreOptions): Settings {
  const {
    url,
    client,
    options = {},
    database,
    namespace = 'sched',
    collection = namespace,
    migrate = true,
    writeConcern = { w: 'majority', journal: true },
    clock,
    historyLimit = 100,
    historyMaxAgeMs = 7 * 24 * 3_600_000,
  } = checkMembers('The options of MongoDataStore', given, optionNames, 'SCHED_STORE_CONFIG');
  check((url === undefined) !== (client === undefined), 'Give either url or client.');
  check(client === undefined || isClient(client), 'client must be a MongoClient of mongodb.');
  // What stands in the URL is not shown, for it may hold a password.
  check(
    url === undefined || /^mongodb(\+srv)?:\/\/./.test(url),
    'url must look like mongodb://user:password@host:27017/database, with special characters percent-encoded.',
  );
  check(
    database === undefined || /^[^\0-\x20/\\."$*<>:|?]{1,63}$/.test(database),
    `database must be 1 to 63 characters without spaces and /\\."$*<>:|?, not ${JSON.stringify(database)}.`,
  );
  const name = given.collection === undefined ? 'namespace' : 'collection';
  check(
    /^[A-Za-z_][\w-]{0,63}$/.test(collection) && !collection.startsWith('system'),
    `${name} must be 1 to 64 letters, digits, _ and -, and begin with a letter or _; not ${JSON.stringify(collection)}.`,
  );
  checkNumber('historyLimit', historyLimit, 0);
  checkNumber('historyMaxAgeMs', historyMaxAgeMs, 1);
  return {
    source: url === undefined ? 'client' : 'url',
    url: url ?? '',
    options,
    client,
    database,
    collection,
    migrate,
    writeConcern,
    clock,
    historyLimit,
    historyMaxAgeMs,
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
