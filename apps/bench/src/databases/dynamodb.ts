import {
  BatchWriteItemCommand,
  CreateTableCommand,
  DeleteTableCommand,
  DynamoDBClient,
  QueryCommand,
  UpdateItemCommand,
  type WriteRequest,
} from '@aws-sdk/client-dynamodb';
import { DynamoDBDataStore } from '@sched/dynamodb';
import type { BareLoop, Database } from '../database.ts';

const region = 'local';
const credentials = { accessKeyId: 'sched', secretAccessKey: 'sched' };

/** DynamoDB Local: what it can do says little about the service, only the ratios may. */
export const dynamodb: Database = {
  name: 'dynamodb',
  service: 'dynamodb',
  count: 1000,
  farFuture: 20_000,
  async createPlace(endpoint) {
    const tableName = `bench-${crypto.randomUUID().slice(0, 8)}`;
    const bareTable = `${tableName}-bare`;
    const client = new DynamoDBClient({ endpoint, region, credentials });
    const made: string[] = [];
    return {
      connect(options) {
        made.push(tableName);
        const connection = { credentials };
        return new DynamoDBDataStore({ endpoint, region, connection, tableName, ...options });
      },
      openBareLoop() {
        made.push(bareTable);
        return bareLoop(client, bareTable);
      },
      async dispose() {
        for (const TableName of new Set(made)) {
          await client.send(new DeleteTableCommand({ TableName }));
        }
        client.destroy();
      },
    };
  },
};

async function bareLoop(client: DynamoDBClient, TableName: string): Promise<BareLoop> {
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
          return Attributes?.id?.S ?? '';
        }),
      );
      return claimed;
    },
    complete: (ids) => write(ids.map((id) => ({ DeleteRequest: { Key: { id: { S: id } } } }))),
  };
}
