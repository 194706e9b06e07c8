import { setTimeout as sleep } from 'node:timers/promises';
import type {
  CreateTableInput,
  GlobalSecondaryIndex,
  KeySchemaElement,
  TableDescription,
} from '@aws-sdk/client-dynamodb';
import { checkSetting, isSchemaCurrent, schemaError } from '@sched/core/adapter';
import type { Call } from './client.js';
import { absent, put } from './expressions.js';
import type { Settings } from './options.js';
import type { Table } from './table.js';

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

const timeToLive = { AttributeName: 'expires', Enabled: true };

/** Creates the table if need be, and waits until it can be used. */
export async function prepareTable(call: Call, settings: Settings): Promise<void> {
  const { tableName: TableName, skipTableCreate } = settings;
  let found = await describe(call, TableName);
  const isMissing = !found;
  if (isMissing && skipTableCreate) {
    throw schemaError(
      `The table ${TableName} is not there, and skipTableCreate or migrate: false forbids to create it. Create it as the README of @sched/dynamodb says, or correct tableName, region or endpoint.`,
    );
  }
  if (isMissing) {
    await call('CreateTable', { TableName, ...table }).catch((error) => {
      // Somebody else is creating it.
      if (error.name !== 'ResourceInUseException') throw error;
    });
  }
  for (let delayMs = firstPollMs; !isReady(found); delayMs = Math.min(delayMs * 2, maxPollMs)) {
    await sleep(delayMs);
    found = await describe(call, TableName);
  }
  checkTable(found);
  if (!isMissing) return;
  // The history is limited without it too, when it is read; it only takes more room.
  await call('UpdateTimeToLive', { TableName, TimeToLiveSpecification: timeToLive }).catch(
    () => {},
  );
}

async function describe(call: Call, TableName: string): Promise<TableDescription | undefined> {
  try {
    return (await call('DescribeTable', { TableName })).Table;
  } catch (error) {
    if ((error as Error).name === 'ResourceNotFoundException') return undefined;
    throw error;
  }
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

/** What a namespace says of itself. */
interface Metadata {
  readonly version: number;
  readonly shards: number;
}

/** Creates the namespace if need be. @returns the number of shards that it has */
export async function prepareNamespace(
  table: Table,
  { namespace, migrate, shards }: Settings,
): Promise<number> {
  const key = { pk: namespace, sk: 'metadata' };
  const isCurrent = (found: Metadata | undefined): found is Metadata =>
    isSchemaCurrent({
      ...{ what: `The items of the namespace ${namespace}`, adapter: '@sched/dynamodb' },
      ...{ found: found?.version ?? 0, known: schemaVersion, migrate },
      settings: 'namespace or tableName',
    });
  let stored = await table.get<Metadata>(key);
  if (!isCurrent(stored)) {
    const created = { version: schemaVersion, shards: shards ?? defaultShards };
    // Not done where somebody else was faster, or this very request was made twice.
    await table.write(put({ ...key, ...created }, absent));
    stored = await table.get<Metadata>(key);
  }
  const count = isCurrent(stored) ? stored.shards : 1;
  checkSetting(
    shards === undefined || shards === count,
    `shards must be ${count}, with which the namespace ${namespace} was created; not ${shards}.`,
  );
  return count;
}
