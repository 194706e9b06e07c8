import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { DataStore } from '@sched/core';
import type { SchemaSql } from '@sched/core/adapter';
import { Failure, UsageError } from './errors.js';

/** Options of a data store. */
export type StoreOptions = Readonly<Record<string, unknown>>;

/** What is used of an adapter's package. */
export interface AdapterModule {
  readonly schemaSql?: (options: StoreOptions) => SchemaSql;
  readonly [name: string]: unknown;
}

/** A package that a URL leads to. */
interface Adapter {
  readonly package: string;
  /** What is to be installed beside it. */
  readonly driver?: string;
  /** The class that it exports. */
  readonly store: string;
  readonly protocols: readonly string[];
  /** What a URL looks like. */
  readonly example: string;
  /** @param cwd the folder that paths are relative to */
  readonly options: (url: string, cwd: string) => StoreOptions;
}

const byUrl = (url: string) => ({ url });

/** To add a data store, add it here and to the peers in `package.json`. */
const adapters: readonly Adapter[] = [
  {
    package: '@sched/sqlite',
    store: 'SqliteDataStore',
    protocols: ['sqlite:', 'file:'],
    example: 'sqlite:tasks.db',
    options: (url, cwd) => ({ path: resolve(cwd, pathOf(url)) }),
  },
  {
    ...{ package: '@sched/postgres', driver: 'pg', store: 'PostgresDataStore' },
    protocols: ['postgres:', 'postgresql:'],
    example: 'postgres://user@host/database',
    options: byUrl,
  },
  {
    ...{ package: '@sched/mysql', driver: 'mysql2', store: 'MysqlDataStore' },
    protocols: ['mysql:', 'mariadb:'],
    example: 'mysql://user@host/database',
    options: (url) => ({ url: url.replace(/^mariadb:/, 'mysql:') }),
  },
  {
    ...{ package: '@sched/redis', driver: 'ioredis', store: 'RedisDataStore' },
    protocols: ['redis:', 'rediss:'],
    example: 'redis://host:6379/0',
    options: byUrl,
  },
  {
    ...{ package: '@sched/mongo', driver: 'mongodb', store: 'MongoDataStore' },
    protocols: ['mongodb:', 'mongodb+srv:'],
    example: 'mongodb://user@host/database',
    options: byUrl,
  },
  {
    ...{ package: '@sched/dynamodb', driver: '@aws-sdk/client-dynamodb' },
    store: 'DynamoDBDataStore',
    protocols: ['dynamodb:', 'dynamodb+http:', 'dynamodb+https:'],
    example: 'dynamodb://eu-central-1/table',
    options: dynamodbOptions,
  },
];

const examples = () => adapters.map(({ example }) => example).join(', ');

/** A store that was named by a URL. */
export interface StoreTarget {
  readonly adapter: Adapter;
  readonly url: string;
  readonly options: StoreOptions;
  /** Where it is, without a password. */
  readonly place: string;
}

/**
 * Finds the adapter of a URL, which is not shown: it may hold a password.
 *
 * @param option where the URL comes from
 * @param extra options of the data store, beside those that the URL makes
 * @param cwd the folder that paths are relative to
 * @throws UsageError when there is none
 */
export function findTarget(
  option: string,
  url: string,
  extra: StoreOptions,
  cwd: string,
): StoreTarget {
  // A single letter before the colon is a drive.
  const protocol = /^[a-z][a-z\d+.-]+:/i.exec(url)?.[0].toLowerCase() ?? 'file:';
  if (protocol === 'memory:') {
    throw new UsageError(
      `${option}: tasks in memory are in the process that holds them, and in no other.`,
    );
  }
  const adapter = adapters.find(({ protocols }) => protocols.includes(protocol));
  if (!adapter || url === '') {
    throw new UsageError(`${option} must be the URL of a data store, such as ${examples()}.`);
  }
  const options = { ...adapter.options(url, cwd), ...extra };
  return { adapter, url, options, place: placeOf(protocol, url, options) };
}

function placeOf(protocol: string, url: string, options: StoreOptions): string {
  if (typeof options.path === 'string') return `sqlite:${options.path}`;
  const { host = '', pathname = '' } = URL.parse(url) ?? {};
  return `${protocol}//${host}${pathname}`;
}

function pathOf(url: string): string {
  if (/^file:\/\//i.test(url)) return fileURLToPath(url);
  const path = url.replace(/^(sqlite|file):(\/\/(?=\/))?/i, '');
  if (path !== ':memory:' && path !== '') return path;
  throw new UsageError('An SQLite database is named by its file, as in sqlite:tasks.db.');
}

/** `dynamodb://eu-central-1/table`, or `dynamodb+http://key:secret@localhost:8000/table` */
function dynamodbOptions(url: string): StoreOptions {
  const parsed = URL.parse(
    url.replace(/^dynamodb(\+(https?))?:/i, (_, __, http) => `${http ?? 'https'}:`),
  );
  if (!parsed) {
    throw new UsageError(
      'A DynamoDB table is named by its region, as in dynamodb://eu-central-1/table, or by its endpoint, as in dynamodb+http://localhost:8000/table.',
    );
  }
  const { protocol, host, hostname, pathname, username, password, searchParams } = parsed;
  const tableName = decodeURIComponent(pathname.slice(1));
  const isEndpoint = /^dynamodb\+/i.test(url);
  const region = searchParams.get('region') ?? (isEndpoint ? 'us-east-1' : hostname);
  const credentials = {
    accessKeyId: decodeURIComponent(username),
    secretAccessKey: decodeURIComponent(password),
  };
  return {
    ...(region && { region }),
    ...(tableName && { tableName }),
    ...(isEndpoint && { endpoint: `${protocol}//${host}` }),
    ...(username && { connection: { credentials } }),
  };
}

/**
 * Loads the package of an adapter: the one of the project in this folder, or else one that is installed beside this
 * command.
 *
 * @throws Failure `SCHED_STORE_CONFIG` that says how to install it
 */
export async function loadAdapter(adapter: Adapter, cwd: string): Promise<AdapterModule> {
  const { package: name, driver } = adapter;
  let specifier = name;
  try {
    const path = createRequire(join(cwd, 'package.json')).resolve(name);
    specifier = pathToFileURL(path).href;
  } catch {
    // The project has none.
  }
  try {
    return await import(specifier);
  } catch (cause) {
    const both = driver ? `${name} ${driver}` : name;
    const packages = ['@sched/cli', ...both.split(' ')].map((each) => `-p ${each}`).join(' ');
    throw new Failure(
      `A store of this kind needs ${name}, which cannot be loaded here. Install it: npm install ${both}. Or, without a project: npx ${packages} sched …`,
      { code: 'SCHED_STORE_CONFIG', cause },
    );
  }
}

/** Makes the data store. It is not open yet. */
export async function createStore(
  { adapter, options }: StoreTarget,
  cwd: string,
  more: StoreOptions,
): Promise<DataStore> {
  const module = await loadAdapter(adapter, cwd);
  const Store = module[adapter.store] as new (options: StoreOptions) => DataStore;
  return new Store({ ...more, ...options });
}
