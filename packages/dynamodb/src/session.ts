import type { QueryInput, UpdateItemInput } from '@aws-sdk/client-dynamodb';
import type { TaskRecord } from '@sched/core';
import { SchedError } from '@sched/core';
import { type AtEnd, chunks } from '@sched/core/adapter';
import type { Call } from './client.js';
import { connect } from './connect.js';
import type { DriverError } from './errors.js';
import { doubtful, storeError } from './errors.js';
import type { Attributes, Key, Write } from './expressions.js';
import { expressions, fromItem, toItem } from './expressions.js';
import type { Settings } from './options.js';
import type { Records, TaskItem } from './records.js';
import { createRecords, isKey } from './records.js';
import { prepare } from './schema.js';

/** What became of a write. */
export interface Written {
  /** Whether its condition held: then it is done, unless another of its transaction is not. */
  readonly isDone: boolean;
  /** As it is: where the condition did not hold, or it was asked for. */
  readonly item: TaskItem | undefined;
  /** When the client has made the request more than once, so that this may be what the first one has left. */
  readonly doubt?: SchedError | undefined;
}

export type QueryOfTable = Omit<QueryInput, 'TableName'>;

interface Page<Item> {
  readonly items: readonly Item[];
  readonly count: number;
  /** Where it has ended; undefined at the end of all. */
  readonly next: Key | undefined;
}

/** The most keys that one request of DynamoDB reads. */
const maxKeys = 100;
/** How often a write is tried while others change the item. */
const maxTries = 10;

/** @throws SchedError as `DataStore.open` says */
export async function openSession(settings: Settings, atEnd: AtEnd): Promise<Session> {
  const call = await connect(settings, atEnd).catch((error) => {
    throw storeError(error, false);
  });
  return new Session(settings, call, await prepare(call, settings));
}

/** An open namespace: what is read and written there, in plain values. */
export class Session {
  readonly settings: Settings;
  readonly records: Records;
  readonly #call: Call;

  constructor(settings: Settings, call: Call, shards: number) {
    this.settings = settings;
    this.records = createRecords(settings.namespace, shards);
    this.#call = call;
  }

  /** So many numbers, one after another, that nobody else gets. @returns the first */
  async numbers(count: number): Promise<number> {
    const { namespace, tableName: TableName } = this.settings;
    const Key = toItem({ pk: namespace, sk: 'counter' });
    const { Attributes } = await this.#call('UpdateItem', {
      ...{ TableName, Key, ReturnValues: 'UPDATED_NEW' },
      ...expressions({ UpdateExpression: 'ADD #last :count' }, { count }),
    });
    return Number(Attributes?.last?.N) - count + 1;
  }

  /** A task as it is, not as it was a moment ago. */
  async get(id: string): Promise<TaskItem | undefined> {
    const place = { TableName: this.settings.tableName, Key: toItem(this.records.keyOf(id)) };
    const { Item } = await this.#call('GetItem', { ...place, ConsistentRead: true });
    return Item && fromItem(Item);
  }

  /** The same of many, of which none comes twice; in any order. */
  async read(ids: readonly string[]): Promise<TaskRecord[]> {
    const keys = ids.filter(isKey).map((id) => toItem(this.records.keyOf(id)));
    const parts = chunks(keys, maxKeys).map((part) => this.#readPart([...part]));
    return (await Promise.all(parts)).flat();
  }

  async #readPart(Keys: Attributes[]): Promise<TaskRecord[]> {
    const { tableName } = this.settings;
    const RequestItems = { [tableName]: { Keys, ConsistentRead: true } };
    const { Responses, UnprocessedKeys } = await this.#call('BatchGetItem', { RequestItems });
    const items = Responses?.[tableName] ?? [];
    const tasks = items.map((item) => this.records.decode(fromItem(item)));
    const left = UnprocessedKeys?.[tableName]?.Keys ?? [];
    return left.length > 0 ? [...tasks, ...(await this.#readPart(left))] : tasks;
  }

  /** @param from where the page before has ended */
  async query<Item>(input: QueryOfTable, from?: Key): Promise<Page<Item>> {
    const start = from && { ExclusiveStartKey: toItem(from) };
    const request = { TableName: this.settings.tableName, ...input, ...start };
    const { Items = [], Count = 0, LastEvaluatedKey: next } = await this.#call('Query', request);
    return { items: Items.map(fromItem<Item>), count: Count, next: next && fromItem(next) };
  }

  async *pages<Item>(input: QueryOfTable): AsyncGenerator<Page<Item>> {
    let page = await this.query<Item>(input);
    yield page;
    while (page.next) {
      page = await this.query<Item>(input, page.next);
      yield page;
    }
  }

  /** @param returns the updated item, when asked to */
  async write(write: Write, returns?: 'ALL_NEW'): Promise<Written> {
    const [written] = await this.writeAll([write], returns);
    return written as Written;
  }

  /** Makes several writes, in one transaction. @returns what became of each */
  async writeAll(writes: readonly Write[], returns?: 'ALL_NEW'): Promise<Written[]> {
    const place = { TableName: this.settings.tableName };
    const [only, ...others] = writes;
    try {
      if (only && others.length === 0) {
        // The inputs of all of these are alike.
        const command = `${only.kind}Item` as 'UpdateItem';
        const input = { ...place, ...only.input, ...(returns && { ReturnValues: returns }) };
        const { Attributes } = await this.#call(command, input as UpdateItemInput);
        return [{ isDone: true, item: Attributes && fromItem(Attributes) }];
      }
      const TransactItems = writes.map(({ kind, input }) => ({ [kind]: { ...place, ...input } }));
      await this.#call('TransactWriteItems', { TransactItems });
      return writes.map(() => ({ isDone: true, item: undefined }));
    } catch (error) {
      return refused(error as SchedError);
    }
  }
}

/** @throws SchedError the error itself, unless it is that conditions did not hold */
function refused(error: SchedError): Written[] {
  const { name, $metadata, Item, CancellationReasons = [] } = (error.cause ?? error) as DriverError;
  if (name === 'ConditionalCheckFailedException') {
    const doubt = ($metadata?.attempts ?? 1) > 1 ? doubtful(error.cause) : undefined;
    return [{ isDone: false, item: Item && fromItem(Item), doubt }];
  }
  // Of a transaction that the client repeats DynamoDB knows that it is the same.
  const written = CancellationReasons.map(({ Code, Item }) => ({
    isDone: Code !== 'ConditionalCheckFailed',
    item: Item && fromItem<TaskItem>(Item),
  }));
  if (written.every(({ isDone }) => isDone)) throw error;
  return written;
}

/** Attempts until there is an answer, each time with what the last one has found. */
export async function untilAnswered<Answer>(
  attempt: () => Promise<Answer | undefined>,
): Promise<Answer> {
  for (let tries = 0; tries < maxTries; tries++) {
    const answer = await attempt();
    if (answer !== undefined) return answer;
  }
  throw new SchedError(
    'SCHED_STORE_UNAVAILABLE',
    'DynamoDB failed: others kept changing the task. Try again.',
  );
}
