import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import type { Call } from './client.js';
import { connect } from './connect.js';
import type { DriverError } from './errors.js';
import { callError, storeError } from './errors.js';
import type { Item } from './expressions.js';
import { expressions, numberOf, toItem } from './expressions.js';
import type { Settings } from './options.js';
import { Records } from './records.js';
import { limited, patient } from './requests.js';
import { counterKey, prepare } from './schema.js';

/** What became of a write that depends on a condition. */
export type Written =
  | { readonly isDone: true; readonly item: Item | undefined }
  | {
      readonly isDone: false;
      /** As it is, and does not satisfy the condition. */
      readonly item: Item | undefined;
      /** When the client has made the request more than once, so that this may be what the first one has left. */
      readonly doubt: Error | undefined;
    };

/** An open namespace. */
export interface Session {
  readonly records: Records;
  readonly settings: Settings;
  /** Makes a request; again if it is throttled. */
  readonly call: Call;
  /** Makes one write, and tells whether its condition held. `returns` an updated item, when asked to. */
  write(action: TransactWriteItem, returns?: 'ALL_NEW'): Promise<Written>;
  /** Makes several writes or none. @returns what became of each, or undefined when all were done */
  writeAll(actions: readonly TransactWriteItem[]): Promise<readonly Written[] | undefined>;
  /** So many numbers, one after another, that nobody else gets. @returns the first */
  numbers(count: number): Promise<number>;
  /** Waits for what is under way. */
  close(): Promise<void>;
}

/** @throws SchedError as `DataStore.open` says */
export async function openSession(settings: Settings): Promise<Session> {
  const { tableName: TableName, namespace } = settings;
  const connection = await connect(settings).catch((error) => {
    throw storeError(error);
  });
  const { call: request, idle } = limited(patient(connection.call));
  const call: Call = (command, input) =>
    request(command, input).catch((error) => {
      throw callError(error);
    });

  async function write(action: TransactWriteItem, returns?: 'ALL_NEW'): Promise<Written> {
    const { Put, Update, Delete } = told(action);
    try {
      if (Put) await request('PutItem', Put);
      if (Delete) await request('DeleteItem', Delete);
      if (!Update) return { isDone: true, item: undefined };
      const answer = await request('UpdateItem', {
        ...Update,
        ...(returns && { ReturnValues: returns }),
      });
      return { isDone: true, item: answer.Attributes };
    } catch (error) {
      const failed = error as DriverError;
      if (failed.name !== 'ConditionalCheckFailedException') throw callError(error);
      const isRepeated = (failed.$metadata?.attempts ?? 1) > 1;
      return { isDone: false, item: failed.Item, doubt: isRepeated ? failed : undefined };
    }
  }

  async function writeAll(actions: readonly TransactWriteItem[]) {
    try {
      await request('TransactWriteItems', { TransactItems: actions.map(told) });
      return undefined;
    } catch (error) {
      const { CancellationReasons: reasons = [] } = error as DriverError;
      if (!reasons.some(({ Code }) => Code === 'ConditionalCheckFailed')) throw callError(error);
      return reasons.map(({ Code, Item: item }) => ({
        isDone: Code !== 'ConditionalCheckFailed',
        item,
        // A transaction that is repeated by the client is recognised by DynamoDB.
        doubt: undefined,
      }));
    }
  }

  async function numbers(count: number): Promise<number> {
    const { Attributes } = await call('UpdateItem', {
      TableName,
      Key: toItem(counterKey(namespace)),
      ReturnValues: 'UPDATED_NEW',
      ...expressions({ UpdateExpression: 'ADD #last :count' }, { count }),
    });
    return (numberOf(Attributes, 'last') ?? 0) - count + 1;
  }

  try {
    const shards = await prepare(request, settings);
    const records = new Records(TableName, namespace, shards);
    return {
      records,
      settings,
      call,
      write,
      writeAll,
      numbers,
      async close() {
        await idle();
        connection.close();
      },
    };
  } catch (error) {
    connection.close();
    throw storeError(error);
  }
}

/** Has a write whose condition fails tell what it has found. */
function told({ Put, Update, Delete, ConditionCheck }: TransactWriteItem): TransactWriteItem {
  const back = { ReturnValuesOnConditionCheckFailure: 'ALL_OLD' } as const;
  return {
    ...(Put && { Put: { ...Put, ...back } }),
    ...(Update && { Update: { ...Update, ...back } }),
    ...(Delete && { Delete: { ...Delete, ...back } }),
    ...(ConditionCheck && { ConditionCheck: { ...ConditionCheck, ...back } }),
  };
}
