import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspect, promisify } from 'node:util';
import type { CreateTableInput } from '@aws-sdk/client-dynamodb';
import {
  CreateTableCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  DynamoDBClient,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import type {
  DynamoDBClientLike,
  DynamoDBConnectionOptions,
  DynamoDBDataStoreOptions,
} from '@sched/dynamodb';
import { DynamoDBDataStore } from '@sched/dynamodb';
import {
  claimAll,
  cleanup,
  failure,
  record,
  records,
  testOptionNames,
} from '@sched-tooling/adapter-tests';
import { describeOn } from '@sched-tooling/services';
import { describe, expect, test } from 'vitest';
import { table } from '../src/schema.js';
import { driverError, workbench } from './support.js';

const secret = 'hunter2hunter2';
const credentials = { accessKeyId: 'AKIAHUNTER', secretAccessKey: secret };
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Runs a script in a process that knows of no credentials and no region. */
async function runAlone(script: string): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '--eval', script],
    { env: { HOME: '/nowhere', AWS_EC2_METADATA_DISABLED: 'true' }, cwd: here('..') },
  );
  return stdout;
}

describe('options', () => {
  const client: DynamoDBClientLike = new DynamoDBClient({ region: 'local', credentials });

  test.each<[string, Record<string, unknown>]>([
    ['client', { client, region: 'eu-west-1' }],
    ['client', { client, endpoint: 'http://127.0.0.1' }],
    ['client', { client, connection: { credentials } }],
    ['client', { client: {} }],
    ['client', { client: secret }],
    ['endpoint', { endpoint: 'localhost:8000', connection: { credentials } }],
    ['endpoint', { endpoint: '', connection: { credentials } }],
    ['tableName', { tableName: 'a' }],
    ['tableName', { tableName: 'a b c' }],
    ['tableName', { tableName: 'a'.repeat(256) }],
    ['shards', { shards: 0 }],
    ['shards', { shards: 257 }],
    ['shards', { shards: 1.5 }],
    ['shards', { shards: '2' }],
    ['maxClockSkewMs', { maxClockSkewMs: -1 }],
    ['maxClockSkewMs', { maxClockSkewMs: Number.POSITIVE_INFINITY }],
    ['maxIndexLagMs', { maxIndexLagMs: 0.5 }],
    ['historyLimit', { historyLimit: 1.5 }],
    ['historyMaxAgeMs', { historyMaxAgeMs: 0 }],
  ])('%s is refused when it cannot be, and shows no secret (case %#)', async (setting, options) => {
    const make = () => new DynamoDBDataStore(options as unknown as DynamoDBDataStoreOptions);
    const error = await failure(make, 'SCHED_STORE_CONFIG');
    expect(error.message).toContain(setting);
    expect(inspect(error)).not.toContain(secret);
  });

  const make = (options: unknown) =>
    new DynamoDBDataStore(options as DynamoDBDataStoreOptions | undefined);
  const place = { region: 'a', endpoint: 'http://127.0.0.1', connection: { credentials } };
  const names = { tableName: 'abc', namespace: 'a', shards: 2 };
  const rest = { migrate: false, skipTableCreate: true, maxClockSkewMs: 1, maxIndexLagMs: 1 };
  testOptionNames(make, { ...place, ...names, ...rest }, false);

  test.each([
    ...['', 'a"b', "a'b", 'a b', 'a$b', '{a}', 'a}', 'a\0', 'a\n', 'é', 'a*', 'a.b', 'a#b', 'a/b'],
    ...['a'.repeat(65), 'a'.repeat(300)],
  ])('a namespace may not be %j', async (namespace) => {
    const make = () => new DynamoDBDataStore({ namespace });
    expect((await failure(make, 'SCHED_STORE_CONFIG')).message).toContain('namespace');
  });

  test('a missing @aws-sdk/client-dynamodb is named', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sched-dynamodb-'));
    cpSync(here('../dist/index.js'), join(folder, 'index.js'));
    mkdirSync(join(folder, 'node_modules', '@sched'), { recursive: true });
    symlinkSync(here('../../core'), join(folder, 'node_modules', '@sched', 'core'));
    const output = await runAlone(`
      import { DynamoDBDataStore } from ${JSON.stringify(join(folder, 'index.js'))};
      const store = new DynamoDBDataStore();
      await store.open().catch(({ code, message }) => console.log(code, message));
    `);
    rmSync(folder, { recursive: true });
    expect(output).toMatch(/^SCHED_STORE_CONFIG .*Install @aws-sdk\/client-dynamodb/s);
  });

  test.each([
    ['region', {}],
    ['credentials', { region: 'eu-west-1' }],
  ])('%s that the SDK does not find are named', async (what, options) => {
    const output = await runAlone(`
      import { DynamoDBDataStore } from '@sched/dynamodb';
      const store = new DynamoDBDataStore(${JSON.stringify(options)});
      await store.open().catch(({ code, message }) => console.log(code, message));
    `);
    expect(output).toMatch(/^SCHED_STORE_CONFIG /);
    expect(output).toContain(what);
  });
});

describe('a server that refuses', () => {
  const later = cleanup();

  /** A server that answers everything with one error, as AWS does. */
  async function refusing(name: string, message: string): Promise<string> {
    const server = createServer((_, response) => {
      const body = JSON.stringify({ __type: `com.amazon.coral.service#${name}`, message });
      response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' }).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    later(() => server.close());
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  test.each([
    ['UnrecognizedClientException', 'The security token is invalid.', /credentials/],
    ['InvalidSignatureException', 'The request signature does not match.', /credentials/],
    ['IncompleteSignatureException', 'Credential must have 5 elements.', /credentials/],
    [
      'ExpiredTokenException',
      'The security token included in the request is expired',
      /Renew the credentials/,
    ],
    ['AccessDeniedException', 'User: bob is not authorized.', /tableName and the permissions/],
  ])('%s is told with what to check', async (name, message, advice) => {
    const endpoint = await refusing(name, message);
    const store = new DynamoDBDataStore({
      endpoint,
      region: 'local',
      connection: { credentials },
    });
    const code =
      name === 'ExpiredTokenException' ? 'SCHED_STORE_UNAVAILABLE' : 'SCHED_STORE_CONFIG';
    const error = await failure(() => store.open(), code);
    expect(error.message).toMatch(advice);
    expect(error.message).toContain(message);
    expect(inspect(error, { depth: 9 })).not.toContain(secret);
    await store.close();
  });
});

await describeOn('dynamodb', 'opening a store', (server) => {
  const bench = workbench(server);

  const make = (options: DynamoDBConnectionOptions) => {
    const place = { namespace: bench.namespace(), tableName: 'tests' };
    const store = new DynamoDBDataStore({ ...bench.options, ...place, ...options });
    bench.later(() => store.close());
    return store;
  };

  async function createTable(change: Partial<CreateTableInput> = {}): Promise<string> {
    const TableName = bench.table();
    await bench.client().send(new CreateTableCommand({ TableName, ...table, ...change }));
    return TableName;
  }

  test.each<[string, DynamoDBConnectionOptions, 'SCHED_STORE_CONFIG' | 'SCHED_STORE_UNAVAILABLE']>([
    ['a port where nothing listens', { endpoint: 'http://127.0.0.1:1' }, 'SCHED_STORE_UNAVAILABLE'],
    ['a host that is not', { endpoint: 'http://nowhere.invalid' }, 'SCHED_STORE_UNAVAILABLE'],
    [
      'TLS to a server that has none',
      { endpoint: server.url.replace('http:', 'https:') },
      'SCHED_STORE_CONFIG',
    ],
  ])('%s: the setting is named, and no secret shown', async (_, options, code) => {
    const store = make({ region: 'local', connection: { credentials }, ...options });
    const error = await failure(() => store.open(), code);
    expect(error.message).toContain('endpoint');
    expect(error.cause).toBeInstanceOf(Error);
    expect(inspect(error, { depth: 9 })).not.toContain(secret);
  });

  test('a server that never answers is given up', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    bench.later(() => silent.closeAllConnections());
    bench.later(() => silent.close());
    const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const requestHandler = { requestTimeout: 50, throwOnRequestTimeout: true };
    const store = make({ endpoint, region: 'local', connection: { credentials, requestHandler } });
    const error = await failure(() => store.open(), 'SCHED_STORE_UNAVAILABLE');
    expect(error.message).toContain('endpoint');
  });

  test('credentials that were there before are waited for', async () => {
    let isProvided = true;
    const client = bench.intercepted(async (_, send) => {
      if (isProvided) return send();
      throw driverError('CredentialsProviderError');
    });
    const store = await bench.open({ client });
    isProvided = false;
    await failure(() => store.insert([record('a')]), 'SCHED_STORE_UNAVAILABLE');
    const other = new DynamoDBDataStore({ client });
    await failure(() => other.open(), 'SCHED_STORE_CONFIG');
    isProvided = true;
    expect(await store.insert([record('a')])).toEqual(['inserted']);
  });

  test('creates the table, billed by request, with a time to live', async () => {
    const tableName = bench.table();
    await make({ tableName }).open();
    const client = bench.client();
    const { Table } = await client.send(new DescribeTableCommand({ TableName: tableName }));
    expect(Table).toMatchObject({
      TableStatus: 'ACTIVE',
      BillingModeSummary: { BillingMode: 'PAY_PER_REQUEST' },
      KeySchema: table.KeySchema,
    });
    const answer = await client.send(new DescribeTimeToLiveCommand({ TableName: tableName }));
    expect(answer.TimeToLiveDescription?.AttributeName).toBe('expires');
  });

  test('as the README shows it to those who create it themselves', () => {
    const [, json = ''] =
      /```json\n(.*?)```/s.exec(readFileSync(here('../README.md'), 'utf8')) ?? [];
    expect(JSON.parse(json)).toEqual({ TableName: 'sched', ...table });
  });

  test('any number may do so at the same moment', async () => {
    const tableName = bench.table();
    const namespace = bench.namespace();
    const stores = [1, 2, 3, 4, 5].map((shards) => make({ tableName, namespace, shards }));
    const opened = await Promise.allSettled(stores.map((store) => store.open()));
    const reasons = opened.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
    expect(reasons).toHaveLength(4);
    for (const reason of reasons) expect(reason).toMatchObject({ code: 'SCHED_STORE_CONFIG' });
    const others = [1, 2, 3].map(() => make({ tableName, namespace }));
    await Promise.all(others.map((store) => store.open()));
    await others[0]?.insert(records(9, 'task-'));
    expect(await others[1]?.count({})).toBe(9);
  });

  test.each(['skipTableCreate', 'migrate'])('creates no table when %s says so', async (option) => {
    const tableName = bench.table();
    const store = make({ tableName, [option]: option === 'skipTableCreate' });
    const error = await failure(() => store.open(), 'SCHED_STORE_SCHEMA');
    expect(error.message).toContain(tableName);
    const command = new DescribeTableCommand({ TableName: tableName });
    await expect(bench.client().send(command)).rejects.toThrow('non-existent');
  });

  test('a table of the user’s own will do, and migrate: false asks for the namespace too', async () => {
    const tableName = await createTable();
    const namespace = bench.namespace();
    const closed = make({ tableName, namespace, migrate: false });
    const error = await failure(() => closed.open(), 'SCHED_STORE_SCHEMA');
    expect(error.message).toContain(namespace);
    const store = make({ tableName, namespace, skipTableCreate: true });
    await store.open();
    await store.insert([record('a')]);
    await closed.open();
    expect(await closed.count({})).toBe(1);
  });

  const [due, group] = table.GlobalSecondaryIndexes ?? [];
  const [pk, sk, dueKey, groupKey, wakeAt] = table.AttributeDefinitions ?? [];
  const definitions = [pk, sk, dueKey, groupKey, wakeAt].flatMap((each) => each ?? []);

  test.each<[string, Partial<CreateTableInput>, string]>([
    [
      'other keys',
      {
        KeySchema: [
          { AttributeName: 'sk', KeyType: 'HASH' },
          { AttributeName: 'pk', KeyType: 'RANGE' },
        ],
      },
      'pk',
    ],
    [
      'no index of due tasks',
      {
        GlobalSecondaryIndexes: group ? [group] : [],
        AttributeDefinitions: definitions.filter(
          ({ AttributeName = '' }) => !['due', 'wakeAt'].includes(AttributeName),
        ),
      },
      'index due',
    ],
    [
      'an index without the revision',
      {
        GlobalSecondaryIndexes: [due, group].flatMap((each) =>
          each ? [{ ...each, Projection: { ProjectionType: 'KEYS_ONLY' as const } }] : [],
        ),
      },
      'revision',
    ],
    [
      'wakeAt as a text',
      {
        AttributeDefinitions: definitions.map((each) => ({ ...each, AttributeType: 'S' as const })),
      },
      'wakeAt',
    ],
  ])('a table with %s is refused', async (_, change, word) => {
    const tableName = await createTable(change);
    const store = make({ tableName });
    const error = await failure(() => store.open(), 'SCHED_STORE_SCHEMA');
    expect(error.message).toContain(word);
    expect(error.message).toContain(tableName);
  });

  test('a namespace of a newer version is refused, and left as it is', async () => {
    const namespace = bench.namespace();
    const item = { pk: { S: namespace }, sk: { S: 'metadata' }, version: { N: '2' } };
    await make({}).open();
    await bench.client().send(new PutItemCommand({ TableName: 'tests', Item: item }));
    for (const migrate of [true, false]) {
      const store = make({ namespace, migrate });
      const error = await failure(() => store.open(), 'SCHED_STORE_SCHEMA');
      expect(error.message).toMatch(/version 2.*knows 1/);
    }
  });

  test('the number of shards stays that of whoever created the namespace', async () => {
    const namespace = bench.namespace();
    await make({ namespace, shards: 2 }).open();
    await make({ namespace }).open();
    const error = await failure(() => make({ namespace, shards: 3 }).open(), 'SCHED_STORE_CONFIG');
    expect(error.message).toMatch(/shards must be 2.*not 3/);
  });

  test('two namespaces of one table do not see each other', async () => {
    const [one, other] = [await bench.open(), await bench.open()];
    await one.insert([record('a', { group: 'g' })]);
    await other.insert([record('a', { group: 'g', body: '2' })]);
    expect(await one.get(['a'])).toMatchObject([{ body: '{}' }]);
    expect(await one.remove({ group: 'g' })).toBe(1);
    expect(await other.claim(claimAll)).toMatchObject({ tasks: [{ body: '2' }] });
    expect(await other.count({ group: 'g' })).toBe(1);
  });

  test('a client of the user’s own is neither destroyed nor configured', async () => {
    const client = bench.client({ maxAttempts: 7 });
    let destroyed = 0;
    client.destroy = () => destroyed++;
    const before = inspect(client.middlewareStack.identify());
    const store = await bench.open({ client });
    await store.insert([record('a')]);
    await store.close();
    expect(destroyed).toBe(0);
    expect(await client.config.maxAttempts()).toBe(7);
    expect(inspect(client.middlewareStack.identify())).toBe(before);
    expect(
      (await client.send(new DescribeTableCommand({ TableName: 'tests' }))).Table,
    ).toBeDefined();
  });
});
