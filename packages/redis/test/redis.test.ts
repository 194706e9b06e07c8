import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import type { AddressInfo, Server } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspect, promisify } from 'node:util';
import type { RedisClient, RedisDataStoreOptions } from '@sched/redis';
import { RedisDataStore } from '@sched/redis';
import { failure, record, testOptionNames } from '@sched-tooling/adapter-tests';
import { describeOn } from '@sched-tooling/services';
import { Cluster, Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { bulk, serveFake } from './fake-server.js';
import { workbench } from './support.js';

const secret = 'hunter2';

describe('options', () => {
  const url = `redis://bob:${secret}@127.0.0.1:6379/0`;
  const client = new Redis({ lazyConnect: true });
  const cluster = { nodes: [url] };

  test.each<[string, Record<string, unknown>]>([
    ['url', {}],
    ['url', { url, client }],
    ['connection', { url, connection: {} }],
    ['cluster', { client, cluster }],
    ['url', { url: '' }],
    ['url', { url: `bob:${secret}@127.0.0.1` }],
    ['url', { url: `http://bob:${secret}@127.0.0.1` }],
    ['url', { url: `redis://bob:${secret}@127.0.0.1/first` }],
    ['client', { client: {} }],
    ['client', { client: secret }],
    ['database', { client, database: 1 }],
    ['database', { cluster, database: 1 }],
    ['database', { url, database: -1 }],
    ['database', { url, database: 1.5 }],
    ['shards', { url, shards: 0 }],
    ['shards', { url, shards: 257 }],
    ['shards', { url, shards: 1.5 }],
    ['shards', { url, shards: '2' }],
    ['historyLimit', { url, historyLimit: 1.5 }],
    ['historyMaxAgeMs', { url, historyMaxAgeMs: 0 }],
  ])(
    '%s is refused when it cannot be, and shows no password (case %#)',
    async (setting, options) => {
      const make = () => new RedisDataStore(options as unknown as RedisDataStoreOptions);
      const error = await failure(make, 'SCHED_STORE_CONFIG');
      expect(error.message).toContain(setting);
      expect(inspect(error)).not.toContain(secret);
    },
  );

  const make = (options: unknown) => new RedisDataStore(options as RedisDataStoreOptions);
  const names = { namespace: 'a', keyPrefix: 'a', database: 1 };
  const rest = { shards: 2, migrate: false, allowEviction: true, onWarning: () => {} };
  testOptionNames(make, { url, ...names, ...rest });

  const impossible = ['a"b', "a'b", 'a b', 'a$b', '{a}', 'a{', 'a}', 'a\0', 'a\n', 'é', 'a*', 'a?'];

  test.each(impossible)('neither namespace nor keyPrefix may be %j', async (name) => {
    for (const setting of ['namespace', 'keyPrefix']) {
      const make = () => new RedisDataStore({ url, [setting]: name });
      expect((await failure(make, 'SCHED_STORE_CONFIG')).message).toContain(setting);
    }
  });

  test.each(['', 'a.b', 'a:b', 'a/b', 'a'.repeat(65), 'a'.repeat(300)])(
    'a namespace may not be %j',
    async (namespace) => {
      const make = () => new RedisDataStore({ url, namespace });
      expect((await failure(make, 'SCHED_STORE_CONFIG')).message).toContain('namespace');
    },
  );

  test('clients of ioredis fit, however they are set', () => {
    const clients: RedisClient[] = [
      client,
      new Redis({ lazyConnect: true, replyMapping: 'resp3' }),
      new Cluster([{}], { lazyConnect: true }),
    ];
    for (const each of clients) expect(new RedisDataStore({ client: each }).name).toBe('redis');
  });

  test('a missing ioredis is named', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sched-redis-'));
    const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
    cpSync(here('../dist/index.js'), join(folder, 'index.js'));
    mkdirSync(join(folder, 'node_modules', '@sched'), { recursive: true });
    symlinkSync(here('../../core'), join(folder, 'node_modules', '@sched', 'core'));
    const script = `
      import { RedisDataStore } from ${JSON.stringify(join(folder, 'index.js'))};
      const store = new RedisDataStore({ url: 'redis://127.0.0.1' });
      await store.open().catch(({ code, message }) => console.log(code, message));
    `;
    const flags = ['--input-type=module', '--eval', script];
    const { stdout } = await promisify(execFile)(process.execPath, flags);
    rmSync(folder, { recursive: true });
    expect(stdout).toMatch(/^SCHED_STORE_CONFIG .*Install ioredis/s);
  });
});

await describeOn('redis', 'opening a store', (server) => {
  const bench = workbench(server);

  /** The URL with some parts replaced. */
  const altered = (parts: Partial<URL>): string => Object.assign(new URL(server.url), parts).href;
  const open = (options: RedisDataStoreOptions) =>
    new RedisDataStore({ namespace: bench.namespace(), ...options }).open();

  /** @returns the port on which it then listens, on loopback */
  async function listen(other: Server): Promise<number> {
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    bench.later(() => other.close());
    return (other.address() as AddressInfo).port;
  }

  test.each<[string, () => RedisDataStoreOptions, RegExp]>([
    ['the password of url', () => ({ url: altered({ password: secret }) }), /url.*password/],
    [
      'the user of url',
      () => ({ url: altered({ username: 'nobody', password: secret }) }),
      /url.*username/,
    ],
    [
      'the password of connection',
      () => ({ connection: { port: Number(new URL(server.url).port), password: secret } }),
      /connection.*password/,
    ],
    ['a missing password', () => ({ url: altered({ password: '' }) }), /NOAUTH.*password/],
    ['the database', () => ({ url: server.url, database: 9999 }), /database/],
    ['the database of url', () => ({ url: altered({ pathname: '/9999' }) }), /database/],
    ['encoding', () => ({ url: altered({ password: '%E9' }) }), /url.*encode/],
  ])('names what is wrong: %s', async (_, options, setting) => {
    const error = await failure(() => open(options()), 'SCHED_STORE_CONFIG');
    expect(error.message).toMatch(setting);
    expect(error.cause).toBeInstanceOf(Error);
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(secret);
  });

  test('names client likewise, and leaves it alone', async () => {
    const client = bench.redis({}, altered({ password: secret }));
    const error = await failure(() => open({ client }), 'SCHED_STORE_CONFIG');
    expect(error.message).toMatch(/client.*password/);
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(secret);
    expect(client.status).not.toBe('end');
  });

  test('a server that cannot be reached may be reached later', async () => {
    const nobody = altered({ port: '1', password: secret });
    for (const options of [
      { url: nobody },
      { url: altered({ port: '1', hostname: 'localhost' }) },
      { connection: { port: 1 } },
    ]) {
      const error = await failure(() => open(options), 'SCHED_STORE_UNAVAILABLE');
      expect(error.message).toMatch(/^Redis \((url|connection)\) failed: .*ECONNREFUSED.*host/);
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(secret);
    }
    const cluster = { nodes: [nobody] };
    const none = await failure(() => open({ cluster }), 'SCHED_STORE_UNAVAILABLE');
    expect(none.message).toMatch(/^Redis \(cluster\) failed: .*host/);
    const lost = () => open({ url: altered({ hostname: 'nowhere.invalid' }) });
    expect((await failure(lost, 'SCHED_STORE_UNAVAILABLE')).message).toContain('nowhere.invalid');
  });

  test('TLS that the server does not speak, or speaks badly, is named', async () => {
    const port = Number(new URL(server.url).port);
    const refused = () => open({ connection: { port, tls: {}, connectTimeout: 200 } });
    expect((await failure(refused, 'SCHED_STORE_UNAVAILABLE')).message).toContain('tls');
    const garbled = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    });
    const address = await listen(garbled);
    const error = await failure(
      () => open({ url: `rediss://:${secret}@127.0.0.1:${address}` }),
      'SCHED_STORE_CONFIG',
    );
    expect(error.message).toMatch(/^Redis \(url\) failed: .*tls/);
  });

  test('a server that never answers is given up', async () => {
    const port = await listen(createServer(() => {}));
    const sentinels = [{ host: '127.0.0.1', port: 1 }];
    for (const connection of [{ port }, { sentinels, name: 'main' }]) {
      const options = { connection: { ...connection, connectTimeout: 50 } };
      await failure(() => open(options), 'SCHED_STORE_UNAVAILABLE');
    }
  });

  test('a store that could not be opened can be opened once the reason is gone', async () => {
    const user = randomUUID();
    const url = altered({ username: user, password: secret });
    const store = new RedisDataStore({ url, namespace: bench.namespace() });
    await failure(() => store.open(), 'SCHED_STORE_CONFIG');
    await bench.redis().acl('SETUSER', user, 'on', `>${secret}`, '~*', '&*', '+@all');
    bench.later(() => bench.redis().acl('DELUSER', user));
    await store.open();
    expect(await store.count({})).toBe(0);
    await store.close();
  });

  test('a store can be closed while it is being opened, and opened while it is being closed', async () => {
    const store = new RedisDataStore({ url: server.url, namespace: bench.namespace() });
    await Promise.all([store.open(), store.close()]);
    await failure(() => store.count({}), 'SCHED_STORE_CLOSED');
    await store.open();
    await Promise.all([store.close(), store.open()]);
    expect(await store.count({})).toBe(0);
    await store.close();
  });

  test('calls under way are answered before a store is closed', async () => {
    const store = await bench.open();
    const inserted = store.insert([record('a')]);
    await store.close();
    expect(await inserted).toEqual(['inserted']);
  });

  test('a server that is too old is named, with the oldest that will do', async () => {
    const old = await serveFake(([command]) =>
      command === 'info' ? bulk('redis_version:6.0.16\r\n') : '-ERR unknown command HELLO\r\n',
    );
    bench.later(() => old.close());
    const error = await failure(
      () => open({ connection: { port: old.port } }),
      'SCHED_STORE_UNSUPPORTED',
    );
    expect(error.message).toMatch(/6\.0\.16.*6\.2/);
  });

  test('a cluster that is not whole yet is waited for', async () => {
    const states = ['fail', 'fail'];
    const node = await serveFake(([command, subcommand]) => {
      if (command === 'info') return bulk('redis_version:7.0.0\r\naof_enabled:1\r\n');
      if (command === 'evalsha') return `*2\r\n${bulk('1')}${bulk('1')}`;
      if (command !== 'cluster') return '-ERR unknown command HELLO\r\n';
      if (subcommand === 'info') return bulk(`cluster_state:${states.shift() ?? 'ok'}\r\n`);
      return `*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n${bulk('127.0.0.1')}:${node.port}\r\n`;
    });
    bench.later(() => node.close());
    const nodes = [{ host: '127.0.0.1', port: node.port }];
    const store = new RedisDataStore({ cluster: { nodes } });
    bench.later(() => store.close());
    await store.open();
    expect(states).toEqual([]);
  });

  test('the master that Sentinels name is used', async () => {
    const { hostname, port, password } = new URL(server.url);
    const sentinel = await serveFake(([, subcommand]) =>
      subcommand === 'get-master-addr-by-name' || subcommand === 'main'
        ? `*2\r\n${bulk(hostname)}${bulk(port)}`
        : '*0\r\n',
    );
    bench.later(() => sentinel.close());
    const sentinels = [{ host: '127.0.0.1', port: sentinel.port }];
    const store = await bench.open({ connection: { sentinels, name: 'main', password } });
    expect(await store.insert([record('a')])).toEqual(['inserted']);
  });
});

await describeOn('redis', 'a namespace', (server) => {
  const bench = workbench(server);

  test('of a newer version is refused and left alone', async () => {
    const namespace = bench.namespace();
    await bench.open({ namespace });
    const admin = bench.redis();
    await admin.hset(`{${namespace}:0}:meta`, 'schema', '99');
    for (const migrate of [true, false]) {
      const store = new RedisDataStore({ url: server.url, namespace, migrate });
      const error = await failure(() => store.open(), 'SCHED_STORE_SCHEMA');
      expect(error.message).toMatch(/99.*Install/);
    }
    expect(await admin.hgetall(`{${namespace}:0}:meta`)).toEqual({ schema: '99', shards: '1' });
    await admin.hset(`{${namespace}:0}:meta`, 'schema', '1');
  });

  test('is not created with migrate: false, and used if it is there', async () => {
    const namespace = bench.namespace();
    const options = { url: server.url, namespace, migrate: false };
    const error = await failure(() => new RedisDataStore(options).open(), 'SCHED_STORE_SCHEMA');
    expect(error.message).toContain('migrate');
    expect(await bench.redis().exists(`{${namespace}:0}:meta`)).toBe(0);
    await bench.open({ namespace });
    const store = await bench.open(options);
    expect(await store.insert([record('a')])).toEqual(['inserted']);
  });

  test('has the number of shards that it was created with', async () => {
    const namespace = bench.namespace();
    const store = await bench.open({ namespace, shards: 4 });
    await store.insert([record('a'), record('b'), record('c')]);
    expect(await (await bench.open({ namespace })).count({})).toBe(3);
    const other = new RedisDataStore({ url: server.url, namespace, shards: 2 });
    const error = await failure(() => other.open(), 'SCHED_STORE_CONFIG');
    expect(error.message).toMatch(/shards must be 4.*not 2/);
  });

  test.each(['set', 'zadd'] as const)(
    'with keys of somebody else is left alone: %s',
    async (type) => {
      const namespace = bench.namespace();
      const key = `{${namespace}:0}:due`;
      const meta = `{${namespace}:0}:meta`;
      const admin = bench.redis();
      await (type === 'set' ? admin.set(meta, 'theirs') : admin.zadd(key, 1, 'theirs'));
      bench.later(() => bench.redis().del(key, meta));
      const open = () => new RedisDataStore({ url: server.url, namespace }).open();
      const error = await failure(open, 'SCHED_STORE_SCHEMA');
      expect(error.message).toContain('another namespace');
      expect(await admin.exists(key, meta)).toBe(1);
    },
  );

  test('whose keys have been replaced is reported as such', async () => {
    const namespace = bench.namespace();
    const store = await bench.open({ namespace });
    await bench.redis().set(`{${namespace}:0}:tasks`, 'theirs');
    await failure(() => store.insert([record('a')]), 'SCHED_STORE_SCHEMA');
    await bench.redis().del(`{${namespace}:0}:tasks`);
  });

  test('shares nothing with another, nor with its own name under a prefix or in a database', async () => {
    const namespace = bench.namespace();
    const stores = await Promise.all([
      bench.open({ namespace }),
      bench.open({ namespace: `${namespace}x`.slice(0, 64) }),
      bench.open({ namespace, keyPrefix: 'app:' }),
      bench.open({ namespace, keyPrefix: 'app' }),
      bench.open({ namespace, url: server.url, database: 1 }),
    ]);
    for (const store of stores) expect(await store.insert([record('a')])).toEqual(['inserted']);
    expect(await stores[0]?.remove({ all: true })).toBe(1);
    for (const store of stores.slice(1)) expect(await store.count({})).toBe(1);
    expect(await bench.redis().exists(`app:{${namespace}:0}:tasks`)).toBe(1);
  });
});
