import { setTimeout as sleep } from 'node:timers/promises';
import type {
  CreateTableInput,
  GlobalSecondaryIndex,
  KeySchemaElement,
  TableDescription,
} from '@aws-sdk/client-dynamodb';
import { checkSetting, isSchemaCurrent, schemaError } from '@sched/core/adapter';
import type { Call } from './client.js';
import { expressions, numberOf, toItem } from './expressions.js';
import type { Settings } from './options.js';

/** The version of the items that this code reads and writes. */
const schemaVersion = 1;
/** A partition of an index takes some 1000 writes a second: four of them take what one table does before it is warm. */
const defaultShards = 4;
const firstPollMs = 20;
const maxPollMs = 1000;

const keySchema = (hash: string, range: string): KeySchemaElement[] => [
  { AttributeName: hash, KeyType: 'HASH' },
  { AttributeName: range, KeyType: 'RANGE' },
];

/** Both are sparse: tasks that will not be due, and those without a group, are not in them. */
const indexes: GlobalSecondaryIndex[] = [
  {
    IndexName: 'due',
    KeySchema: keySchema('due', 'wakeAt'),
    Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['revision'] },
  },
  {
    IndexName: 'group',
    KeySchema: keySchema('group', 'sk'),
    Projection: { ProjectionType: 'KEYS_ONLY' },
  },
];

/** The table as it is created. The README shows it to those who create it themselves. */
export const table: Omit<CreateTableInput, 'TableName'> = {
  AttributeDefinitions: [
    ...['pk', 'sk', 'due', 'group'].map((AttributeName) => ({
      AttributeName,
      AttributeType: 'S' as const,
    })),
    { AttributeName: 'wakeAt', AttributeType: 'N' },
  ],
  KeySchema: keySchema('pk', 'sk'),
  GlobalSecondaryIndexes: indexes,
  BillingMode: 'PAY_PER_REQUEST',
};

const timeToLive = { AttributeName: 'expires', Enabled: true };

/** Creates what is missing. @returns the number of shards that the namespace has */
export async function prepare(call: Call, settings: Settings): Promise<number> {
  const { tableName, skipTableCreate } = settings;
  const found = await describe(call, tableName);
  if (!found && skipTableCreate) {
    throw schemaError(
      `The table ${tableName} is not there, and skipTableCreate or migrate: false forbids to create it. Create it as the README of @sched/dynamodb says, or correct tableName, region or endpoint.`,
    );
  }
  if (!found) await createTable(call, tableName);
  checkTable(await activeTable(call, tableName, found));
  return prepareNamespace(call, settings);
}

async function describe(call: Call, TableName: string): Promise<TableDescription | undefined> {
  try {
    return (await call('DescribeTable', { TableName })).Table;
  } catch (error) {
    if (isNamed(error, 'ResourceNotFoundException')) return undefined;
    throw error;
  }
}

async function createTable(call: Call, TableName: string): Promise<void> {
  try {
    await call('CreateTable', { TableName, ...table });
  } catch (error) {
    // Somebody else is creating it.
    if (!isNamed(error, 'ResourceInUseException')) throw error;
  }
  await activeTable(call, TableName);
  // The history is limited without it too, when it is read; it only takes more room.
  await call('UpdateTimeToLive', { TableName, TimeToLiveSpecification: timeToLive }).catch(
    () => {},
  );
}

/** Waits until the table can be used, for as long as it is being created. */
async function activeTable(
  call: Call,
  tableName: string,
  known?: TableDescription,
): Promise<TableDescription> {
  let found = known;
  for (let delayMs = firstPollMs; !isActive(found); delayMs = Math.min(delayMs * 2, maxPollMs)) {
    await sleep(delayMs);
    found = await describe(call, tableName);
  }
  return found;
}

function isActive(table: TableDescription | undefined): table is TableDescription {
  const { TableStatus, GlobalSecondaryIndexes = [] } = table ?? {};
  const isBusy = (status = '') => status === 'CREATING';
  return (
    TableStatus !== undefined &&
    !isBusy(TableStatus) &&
    !GlobalSecondaryIndexes.some(({ IndexStatus }) => isBusy(IndexStatus))
  );
}

function checkTable(found: TableDescription): void {
  const { TableName, GlobalSecondaryIndexes = [], AttributeDefinitions } = found;
  const expect = (condition: boolean, what: string) => {
    if (condition) return;
    throw schemaError(
      `The table ${TableName} ${what}. Create it as the README of @sched/dynamodb says, or choose another tableName.`,
    );
  };
  expect(
    hasKeys(found.KeySchema, table.KeySchema),
    'does not have the partition key pk and the sort key sk',
  );
  for (const { IndexName, KeySchema, Projection } of indexes) {
    const index = GlobalSecondaryIndexes.find((each) => each.IndexName === IndexName);
    expect(index !== undefined, `has no index ${IndexName}`);
    expect(hasKeys(index?.KeySchema, KeySchema), `has an index ${IndexName} of other keys`);
    const projected = index?.Projection;
    const names = Projection?.NonKeyAttributes ?? [];
    expect(
      projected?.ProjectionType === 'ALL' ||
        names.every((name) => projected?.NonKeyAttributes?.includes(name)),
      `has an index ${IndexName} that does not include ${names.join(', ')}`,
    );
  }
  for (const { AttributeName, AttributeType } of table.AttributeDefinitions ?? []) {
    const type = AttributeDefinitions?.find((each) => each.AttributeName === AttributeName);
    expect(
      type?.AttributeType === AttributeType,
      `does not have ${AttributeName} as a key of type ${AttributeType}`,
    );
  }
}

function hasKeys(
  found: readonly KeySchemaElement[] = [],
  expected: readonly KeySchemaElement[] = [],
): boolean {
  return expected.every((key) =>
    found.some(
      ({ AttributeName, KeyType }) =>
        AttributeName === key.AttributeName && KeyType === key.KeyType,
    ),
  );
}

/** Where a namespace says what it is, and where its numbers come from. */
const metadataKey = (namespace: string) => ({ pk: namespace, sk: 'metadata' });
export const counterKey = (namespace: string) => ({ pk: namespace, sk: 'counter' });

async function prepareNamespace(call: Call, settings: Settings): Promise<number> {
  const { tableName: TableName, namespace, migrate, shards } = settings;
  const key = metadataKey(namespace);
  const read = async () =>
    (await call('GetItem', { TableName, Key: toItem(key), ConsistentRead: true })).Item;
  const isCurrent = (found: number) =>
    isSchemaCurrent({
      ...{ what: `The items of the namespace ${namespace}`, adapter: '@sched/dynamodb' },
      ...{ found, known: schemaVersion, migrate, settings: 'namespace or tableName' },
    });
  let stored = await read();
  if (!isCurrent(numberOf(stored, 'version') ?? 0)) {
    const created = { ...key, version: schemaVersion, shards: shards ?? defaultShards };
    const condition = expressions({ ConditionExpression: 'attribute_not_exists(#pk)' }, {});
    try {
      await call('PutItem', { TableName, Item: toItem(created), ...condition });
    } catch (error) {
      // Somebody else was faster, or this very request was made twice.
      if (!isNamed(error, 'ConditionalCheckFailedException')) throw error;
    }
    stored = await read();
  }
  isCurrent(numberOf(stored, 'version') ?? 0);
  const count = numberOf(stored, 'shards') ?? 1;
  checkSetting(
    shards === undefined || shards === count,
    `shards must be ${count}, with which the namespace ${namespace} was created; not ${shards}.`,
  );
  return count;
}

const isNamed = (error: unknown, name: string) => (error as Error).name === name;
