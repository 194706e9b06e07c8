import type * as Driver from '@aws-sdk/client-dynamodb';

/** The part of a `DynamoDBClient` that is used: a client of the user's own fits. */
export interface DynamoDBClientLike {
  send(command: object): Promise<object>;
}

/** What is asked of DynamoDB, and what it answers. */
interface Requests {
  readonly BatchGetItem: [Driver.BatchGetItemInput, Driver.BatchGetItemOutput];
  readonly CreateTable: [Driver.CreateTableInput, Driver.CreateTableOutput];
  readonly DeleteItem: [Driver.DeleteItemInput, Driver.DeleteItemOutput];
  readonly DescribeTable: [Driver.DescribeTableInput, Driver.DescribeTableOutput];
  readonly GetItem: [Driver.GetItemInput, Driver.GetItemOutput];
  readonly PutItem: [Driver.PutItemInput, Driver.PutItemOutput];
  readonly Query: [Driver.QueryInput, Driver.QueryOutput];
  readonly TransactWriteItems: [Driver.TransactWriteItemsInput, Driver.TransactWriteItemsOutput];
  readonly UpdateItem: [Driver.UpdateItemInput, Driver.UpdateItemOutput];
  readonly UpdateTimeToLive: [Driver.UpdateTimeToLiveInput, Driver.UpdateTimeToLiveOutput];
}

export type Command = keyof Requests;

/** Makes one request. */
export type Call = <C extends Command>(
  command: C,
  input: Requests[C][0],
) => Promise<Requests[C][1]>;
