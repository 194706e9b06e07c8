import { setTimeout as sleep } from 'node:timers/promises';
import type {
  CreateTableInput,
  GlobalSecondaryIndex,
  KeySchemaElement,
  TableDescription,
} from '@aws-sdk/client-dynamodb';
import { checkSetting, isSchemaCurrent, schemaError } from '@sched/core/adapter';
import type { Call } from './client.js';
import { absent, expressions, fromItem, toItem } from './expressions.js';
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

/** What the index of due tasks has beside keys. */
const projected = ['revision'];

/** Both are sparse: tasks that will not be due, and those without a group, are not in them. */
const indexes: GlobalSecondaryIndex[] = [
  {
    IndexName: 'due',
    KeySchema: keySchema('due', 'wakeAt'),
    Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: projected },
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

/** Creates what is missing. @returns the number of shards that the namespace has */
export async function prepare(call: Call, settings: Settings): Promise<number> {
  await prepareTable(call, settings);
  return prepareNamespace(call, settings);
}

async function prepareTable(call: Call, { tableName: TableName, skipTableCreate }: Settings) {
  const describe = async () =>
    (await call('DescribeTable', { TableName }).catch(unless('ResourceNotFoundException')))?.Table;
  let found = await describe();
  const isMissing = !found;
  if (isMissing && skipTableCreate) {
    throw schemaError(
      `The table ${TableName} is not there, and skipTableCreate or migrate: false forbids to create it. Create it as the README of @sched/dynamodb says, or correct tableName, region or endpoint.`,
    );
  }
  if (isMissing) {
    // In use is one that somebody else is creating.
    await call('CreateTable', { TableName, ...table }).catch(unless('ResourceInUseException'));
  }
  for (let delayMs = firstPollMs; !isReady(found); delayMs = Math.min(delayMs * 2, maxPollMs)) {
    await sleep(delayMs);
    found = await describe();
  }
  checkTable(found);
  if (!isMissing) return;
  // The history is limited without it too, when it is read; it only takes more room.
  const TimeToLiveSpecification = { AttributeName: 'expires', Enabled: true };
  await call('UpdateTimeToLive', { TableName, TimeToLiveSpecification }).catch(() => {});
}

function isReady(found: TableDescription | undefined): found is TableDescription {
  const { TableStatus = 'CREATING', GlobalSecondaryIndexes = [] } = found ?? {};
  const statuses = [TableStatus, ...GlobalSecondaryIndexes.map(({ IndexStatus }) => IndexStatus)];
  return !statuses.includes('CREATING');
}

function checkTable(found: TableDescription): void {
  const traits = traitsOf(found);
  const missing = traitsOf(table).find((trait) => !traits.includes(trait));
  if (missing === undefined) return;
  throw schemaError(
    `The table ${found.TableName} does not have ${missing}. Create it as the README of @sched/dynamodb says, or choose another tableName.`,
  );
}

/** What calls rely on. */
function traitsOf({
  KeySchema,
  GlobalSecondaryIndexes = [],
  AttributeDefinitions = [],
}: Omit<TableDescription, 'TableName'>): string[] {
  const keysOf = (place: string, keys: readonly KeySchemaElement[] = []) =>
    keys.map(({ AttributeName, KeyType }) => `${AttributeName} as the ${KeyType} key of ${place}`);
  return [
    ...keysOf('the table', KeySchema),
    ...GlobalSecondaryIndexes.flatMap(({ IndexName, KeySchema, Projection = {} }) => {
      const { ProjectionType, NonKeyAttributes = [] } = Projection;
      const names = ProjectionType === 'ALL' ? projected : NonKeyAttributes;
      const index = `the index ${IndexName}`;
      return [...keysOf(index, KeySchema), ...names.map((name) => `${name} in ${index}`)];
    }),
    ...AttributeDefinitions.map(
      ({ AttributeName, AttributeType }) => `the key ${AttributeName} of type ${AttributeType}`,
    ),
  ];
}

async function prepareNamespace(call: Call, settings: Settings): Promise<number> {
  const { tableName: TableName, namespace, migrate, shards } = settings;
  const key = { pk: namespace, sk: 'metadata' };
  /** What the namespace says of itself, if that is what this code needs. */
  const read = async () => {
    const request = { TableName, Key: toItem(key), ConsistentRead: true };
    const { Item = {} } = await call('GetItem', request);
    const { version: found = 0, ...stored } = fromItem<{ version?: number; shards?: number }>(Item);
    const isCurrent = isSchemaCurrent({
      ...{ what: `The items of the namespace ${namespace}`, adapter: '@sched/dynamodb' },
      ...{ found, known: schemaVersion, migrate, settings: 'namespace or tableName' },
    });
    return isCurrent ? stored : undefined;
  };
  let stored = await read();
  if (!stored) {
    const created = { ...key, version: schemaVersion, shards: shards ?? defaultShards };
    const isNew = expressions({ ConditionExpression: absent });
    // That fails where somebody else was faster, or this very request was made twice.
    await call('PutItem', { TableName, Item: toItem(created), ...isNew }).catch(
      unless('ConditionalCheckFailedException'),
    );
    stored = await read();
  }
  const { shards: count = 1 } = stored ?? {};
  checkSetting(
    shards === undefined || shards === count,
    `shards must be ${count}, with which the namespace ${namespace} was created; not ${shards}.`,
  );
  return count;
}

/** Passes over errors of this name. */
const unless = (name: string) => (error: Error) => {
  if ((error.cause as Error | undefined)?.name !== name) throw error;
  return undefined;
};
