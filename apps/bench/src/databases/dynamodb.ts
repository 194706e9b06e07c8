import {
  BatchWriteItemCommand,
  CreateTableCommand,
  DeleteTableCommand,
  DynamoDBClient,
  ListTablesCommand,
  QueryCommand,
  ScanCommand,
  UpdateItemCommand,
  type WriteRequest,
} from '@aws-sdk/client-dynamodb';
import { DynamoDBDataStore } from '@sched/dynamodb';
import type { BareLoop, Database, Place } from '../database.ts';

const region = 'local';
const credentials = { accessKeyId: 'sched', secretAccessKey: 'sched' };

/** DynamoDB Local: what it can do says little about the service, only the ratios may. */
export const dynamodb: Database = {
  name: 'dynamodb',
  service: 'dynamodb',
  durability: 'DynamoDB Local, which keeps tables in memory',
  count: 1000,
  farFuture: 20_000,
  createPlace: async (url, name) => ({ database: 'dynamodb', url, name }),
  async removePlace({ url }) {
    // The server is the benchmark's own.
    const client = connect(url);
    const { TableNames = [] } = await client.send(new ListTablesCommand({}));
    for (const TableName of TableNames) await client.send(new DeleteTableCommand({ TableName }));
    client.destroy();
  },
  store: ({ url, name }, options) =>
    new DynamoDBDataStore({
      ...{ endpoint: url, region, connection: { credentials }, tableName: name },
      ...options,
    }),
  openBareLoop,
};

const connect = (endpoint: string) => new DynamoDBClient({ endpoint, region, credentials });

async function openBareLoop({ url, name }: Place): Promise<BareLoop> {
  const client = connect(url);
  const TableName = `${name}-bare`;
  await createTable(client, TableName);
  const write = async (requests: readonly WriteRequest[]) => {
    for (let from = 0; from < requests.length; from += 25) {
      const part = requests.slice(from, from + 25);
      await client.send(new BatchWriteItemCommand({ RequestItems: { [TableName]: part } }));
    }
  };
  return {
    insert: (tasks) =>
      write(
        tasks.map(({ id, due, body }) => ({
          PutRequest: {
            Item: {
              id: { S: id },
              queue: { S: 'q' },
              due: { N: String(due) },
              body: { S: body },
            },
          },
        })),
      ),
    async claim(limit, now, leaseEnd) {
      const { Items = [] } = await client.send(
        new QueryCommand({
          TableName,
          IndexName: 'due',
          KeyConditionExpression: 'queue = :queue AND due <= :now',
          ExpressionAttributeValues: { ':queue': { S: 'q' }, ':now': { N: String(now) } },
          Limit: limit,
        }),
      );
      const claimed = await Promise.all(
        Items.map(async ({ id }) => {
          const { Attributes } = await client.send(
            new UpdateItemCommand({
              TableName,
              Key: { id: id ?? { S: '' } },
              UpdateExpression: 'SET due = :end',
              ConditionExpression: 'due <= :now',
              ExpressionAttributeValues: {
                ':now': { N: String(now) },
                ':end': { N: String(leaseEnd) },
              },
              ReturnValues: 'ALL_NEW',
            }),
          );
          return [Attributes?.id?.S ?? '', Attributes?.body?.S ?? ''] as const;
        }),
      );
      return new Map(claimed);
    },
    complete: (ids) => write(ids.map((id) => ({ DeleteRequest: { Key: { id: { S: id } } } }))),
    async count() {
      const { Count = 0 } = await client.send(new ScanCommand({ TableName, Select: 'COUNT' }));
      return Count;
    },
    close: async () => client.destroy(),
  };
}

async function createTable(client: DynamoDBClient, TableName: string): Promise<void> {
  const { TableNames = [] } = await client.send(new ListTablesCommand({}));
  if (TableNames.includes(TableName)) return;
  await client.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [
        { AttributeName: 'id', AttributeType: 'S' },
        { AttributeName: 'queue', AttributeType: 'S' },
        { AttributeName: 'due', AttributeType: 'N' },
      ],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      GlobalSecondaryIndexes: [
        {
          IndexName: 'due',
          KeySchema: [
            { AttributeName: 'queue', KeyType: 'HASH' },
            { AttributeName: 'due', KeyType: 'RANGE' },
          ],
          Projection: { ProjectionType: 'KEYS_ONLY' },
        },
      ],
    }),
  );
}
