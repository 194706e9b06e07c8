import { SchedError } from '@sched/core';
import type { OwnClient, RedisClient, RedisCommands } from './client.js';
import { isClosed, isForbidden, storeError } from './errors.js';
import type { Settings } from './options.js';
import { check } from './options.js';

/** A client, and what to do with it at the end. */
export interface Connection {
  readonly client: RedisClient;
  /** What a call that failed so rejects with. */
  failure(error: unknown): SchedError;
  close(): void;
}

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
export async function connect(settings: Settings): Promise<Connection> {
  const connection = await connectClient(settings);
  try {
    await checkServers(connection.client, settings);
  } catch (error) {
    connection.close();
    throw connection.failure(error);
  }
  return connection;
}

async function connectClient(settings: Settings): Promise<Connection> {
  const { source, options } = settings;
  if (options.client) {
    const { client } = options;
    return { client, failure: (error) => storeError(error, source), close() {} };
  }
  let reason: unknown;
  const note = (error: Error) => {
    if (!isClosed(error)) reason = error;
  };
  const failure = (error: unknown) =>
    storeError(isClosed(error) ? (reason ?? error) : error, source);
  const client = await makeClient(settings);
  client.on('error', note);
  client.on('node error', note);
  try {
    await client.connect();
    // A database that does not exist is a mere event to ioredis, which then goes on with another.
    if (reason) throw reason;
  } catch (error) {
    client.disconnect();
    throw failure(reason ?? error);
  }
  return { client, failure, close: () => client.disconnect() };
}

async function makeClient({ source, options }: Settings): Promise<RedisClient & OwnClient> {
  const { url, connection, cluster, database } = options;
  const { lazyConnect, replyMapping } = ownOptions;
  const { Redis, Cluster } = await import('ioredis').catch((cause) => {
    const message = `${source} needs the package ioredis: install version 6 of it.`;
    throw new SchedError('SCHED_STORE_CONFIG', message, { cause });
  });
  try {
    if (cluster) {
      const redisOptions = { ...ownOptions, ...cluster.options?.redisOptions, replyMapping };
      // No delay means no second try, for the reason given above.
      const clusterOptions = { retryDelayOnFailover: 0, ...cluster.options };
      return new Cluster([...cluster.nodes], {
        ...clusterOptions,
        redisOptions,
        lazyConnect: true,
      });
    }
    const db = database === undefined ? {} : { db: database };
    if (!url) return new Redis({ ...ownOptions, ...connection, ...db, lazyConnect, replyMapping });
    const address = new URL(url);
    if (database !== undefined) address.pathname = `/${database}`;
    return new Redis(address.href, ownOptions);
  } catch (error) {
    throw new SchedError('SCHED_STORE_CONFIG', `${source}: ioredis cannot use this (${error}).`);
  }
}

async function checkServers(client: RedisClient, settings: Settings): Promise<void> {
  const { onWarning } = settings;
  try {
    // Of any server of a cluster; and a client that connects with its first command has done so then.
    await client.info();
  } catch (error) {
    if (!isForbidden(error)) throw error;
    onWarning({
      kind: 'unchecked',
      message:
        '@sched/redis may not run INFO here, so it knows neither the version of the server, nor whether it evicts or persists tasks.',
    });
    return;
  }
  const servers = 'nodes' in client ? client.nodes('master') : [client];
  const isCluster = servers[0] !== client;
  const forgetful = await Promise.all(
    servers.map((server) => checkServer(server, settings, isCluster)),
  );
  if (forgetful.includes(true)) {
    onWarning({
      kind: 'notPersistent',
      message:
        'The Redis server of @sched/redis keeps neither an append-only file nor snapshots: when it stops, its tasks are gone. Set appendonly to yes.',
    });
  }
}

/** @returns whether everything is gone when the server stops */
async function checkServer(
  server: RedisCommands,
  { allowEviction, source }: Settings,
  isCluster: boolean,
): Promise<boolean> {
  const info = await server.info();
  const read = (field: string) => new RegExp(`^${field}:(.*?)\\r?$`, 'm').exec(info)?.[1];
  const version = read('redis_version') ?? '6.2';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < 6 || (major === 6 && minor < 2)) {
    throw new SchedError(
      'SCHED_STORE_UNSUPPORTED',
      `The server is Redis ${version}, and @sched/redis needs 6.2 or later, or Valkey.`,
    );
  }
  check(
    isCluster || read('redis_mode') !== 'cluster',
    `${source}: the server is a node of a cluster. Use the option cluster, or give a Cluster as client.`,
  );
  const policy = read('maxmemory_policy') ?? 'noeviction';
  check(
    allowEviction || policy === 'noeviction',
    `The server has maxmemory-policy ${policy}, so it may evict tasks when its memory is full. Set it to noeviction, or accept the loss with allowEviction: true.`,
  );
  if (read('aof_enabled') !== '0') return false;
  const save = await server.config('GET', 'save').catch(() => ({}));
  // An array, or an object where the client gives such.
  return Object.values(save as object).at(-1) === '';
}
