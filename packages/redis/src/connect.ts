import { importDriver, type SchedError } from '@sched/core';
import type { AtEnd } from '@sched/core/adapter';
import { checkServerVersion, checkSetting } from '@sched/core/adapter';
import type { OwnClient, RedisClient, RedisCommands } from './client.js';
import type { DriverError } from './errors.js';
import { isClosed, isForbidden, isWithoutDatabase, storeError } from './errors.js';
import type { RedisDataStoreOptions, Settings } from './options.js';

/** A client, and what to know of it. */
export interface Connection {
  readonly client: RedisClient;
  /** What a call that failed so rejects with. */
  failure(error: unknown): SchedError;
  /** Whether calls would wait for as long as it takes. */
  isLost(): boolean;
}

/** The oldest server. */
const minimum = '6.2';

/** What the store changes in the clients that it makes. */
const ownOptions = {
  lazyConnect: true,
  replyMapping: 'legacy',
  // A call whose answer was lost is reported, not made again in silence: the core knows how to go on.
  maxRetriesPerRequest: 0,
  // After a failover that leaves the connection on a server that has become a replica.
  reconnectOnError: ({ message }: Error) => message.includes('READONLY'),
} as const;

/** @throws SchedError as `DataStore.open` says */
export async function connect(settings: Settings, atEnd: AtEnd): Promise<Connection> {
  const { source, options } = settings;
  let reason: unknown;
  const failure = (error: unknown) =>
    storeError(isClosed(error) ? (reason ?? error) : error, source);
  const note = (error: DriverError) => {
    const inner = error.lastNodeError ?? error;
    if (!isClosed(inner)) reason = inner;
  };
  let own: (RedisClient & OwnClient) | undefined;
  atEnd(() => own?.disconnect());
  // Unlike a connection, a cluster of which no node answers keeps commands until one does.
  const isLost = () => options.cluster !== undefined && own?.status !== 'ready';

  async function connectOwn(): Promise<RedisClient> {
    own = await makeClient(options);
    own.on('error', note);
    own.on('node error', note);
    await connectInTime(own, options.connection?.connectTimeout);
    // A database that does not exist is a mere event to ioredis, which then goes on with another.
    if (isWithoutDatabase(reason)) throw reason;
    own.on('ready', () => {
      reason = undefined;
    });
    return own;
  }

  try {
    const client = options.client ?? (await connectOwn());
    await checkServers(client, settings);
    return { client, failure, isLost };
  } catch (error) {
    throw failure(error);
  }
}

async function makeClient(options: RedisDataStoreOptions): Promise<RedisClient & OwnClient> {
  const { url, connection, cluster, database } = options;
  const { lazyConnect, replyMapping } = ownOptions;
  const { Redis, Cluster } = await importDriver('ioredis', () => import('ioredis'));
  if (cluster) {
    const redisOptions = { ...ownOptions, ...cluster.options?.redisOptions, replyMapping };
    // No delay means no second try, for the reason given above.
    const clusterOptions = { retryDelayOnFailover: 0, ...cluster.options };
    return new Cluster([...cluster.nodes], { ...clusterOptions, redisOptions, lazyConnect });
  }
  const db = database === undefined ? {} : { db: database };
  if (!url) return new Redis({ ...ownOptions, ...connection, ...db, lazyConnect, replyMapping });
  const address = new URL(url);
  if (database !== undefined) address.pathname = `/${database}`;
  return new Redis(address.href, ownOptions);
}

/** ioredis itself waits for ever for a server that accepts a connection and says nothing, and for Sentinels. */
async function connectInTime(client: OwnClient, limitMs = 10_000): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(reject, limitMs, new Error(`no connection within ${limitMs} ms`));
  });
  // A cluster that was not whole at first is connected to again, of which the first promise never hears.
  const ready = new Promise<void>((resolve) => client.on('ready', resolve));
  await Promise.race([client.connect(), ready, timeout]).finally(() => clearTimeout(timer));
}

async function checkServers(client: RedisClient, settings: Settings): Promise<void> {
  const { onWarning } = settings;
  try {
    // Any server of a cluster; and a client that connects with its first command has connected then.
    await client.info();
  } catch (error) {
    if (!isForbidden(error)) throw error;
    const message =
      '@sched/redis may not run INFO here, so it does not know whether the server is new enough, evicts tasks or persists them.';
    onWarning({ kind: 'unchecked', message });
    return;
  }
  const servers = 'nodes' in client ? client.nodes('master') : [client];
  const checks = servers.map((server) => checkServer(server, settings, server !== client));
  if ((await Promise.all(checks)).includes(true)) {
    const message =
      'The Redis server keeps neither an append-only file nor snapshots: the tasks of @sched/redis are gone when it stops. Set appendonly to yes.';
    onWarning({ kind: 'notPersistent', message });
  }
}

/** @returns whether everything is gone when the server stops */
async function checkServer(
  server: RedisCommands,
  { allowEviction }: Settings,
  isCluster: boolean,
): Promise<boolean> {
  const info = await server.info();
  const read = (field: string) => new RegExp(`^${field}:(.*?)\\r?$`, 'm').exec(info)?.[1];
  checkServerVersion('Redis', read('redis_version') ?? minimum, minimum, '@sched/redis');
  checkSetting(
    isCluster || read('redis_mode') !== 'cluster',
    'The server belongs to a cluster. Use cluster, or give a Cluster as client.',
  );
  const policy = read('maxmemory_policy') ?? 'noeviction';
  checkSetting(
    allowEviction || policy === 'noeviction',
    `The server has maxmemory-policy ${policy}: it may evict tasks when its memory is full. Set it to noeviction, or accept the loss with allowEviction: true.`,
  );
  if (read('aof_enabled') !== '0') return false;
  const save = await server.config('GET', 'save').catch(() => ({}));
  // An array, or an object where the client is set so.
  return Object.values(save as object).at(-1) === '';
}
