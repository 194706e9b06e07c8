import type { QueryInput, UpdateItemInput } from '@aws-sdk/client-dynamodb';
import { SchedError } from '@sched/core';
import { chunks } from '@sched/core/adapter';
import type { Call } from './client.js';
import type { DriverError } from './errors.js';
import { callError, doubtful } from './errors.js';
import type { Attributes, Key, Write } from './expressions.js';
import { expressions, fromItem, toItem } from './expressions.js';
import type { TaskItem } from './records.js';

/** What became of a write. */
export interface Written {
  /** Whether its condition held: then it is done, unless another of its transaction is not. */
  readonly isDone: boolean;
  /** As it is: where the condition did not hold, or it was asked for. */
  readonly item: TaskItem | undefined;
  /** When the client has made the request more than once, so that this may be what the first one has left. */
  readonly doubt?: SchedError | undefined;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly count: number;
  /** Where to go on; undefined at the end. */
  readonly next: Key | undefined;
}

/** The most keys that one request of DynamoDB reads. */
const maxKeys = 100;

/** What is read from a table and written to it, in plain values. */
export class Table {
  readonly #name: string;
  readonly #request: Call;

  constructor(name: string, request: Call) {
    this.#name = name;
    this.#request = request;
  }

  /** An item as it is, not as it was a moment ago. */
  async get<Item = TaskItem>(key: Key): Promise<Item | undefined> {
    const request = { TableName: this.#name, Key: toItem(key), ConsistentRead: true };
    const { Item } = await this.#call('GetItem', request);
    return Item && fromItem<Item>(Item);
  }

  /** The same for many keys, of which none comes twice; in any order. */
  async getAll(keys: readonly Key[]): Promise<TaskItem[]> {
    const parts = chunks(keys, maxKeys).map(async (part) => {
      const items: TaskItem[] = [];
      for (let left: Attributes[] = part.map(toItem); left.length > 0; ) {
        const RequestItems = { [this.#name]: { Keys: left, ConsistentRead: true } };
        const { Responses, UnprocessedKeys } = await this.#call('BatchGetItem', { RequestItems });
        items.push(...(Responses?.[this.#name] ?? []).map(fromItem<TaskItem>));
        left = UnprocessedKeys?.[this.#name]?.Keys ?? [];
      }
      return items;
    });
    return (await Promise.all(parts)).flat();
  }

  async query<Item>(input: Omit<QueryInput, 'TableName'>, from?: Key): Promise<Page<Item>> {
    const start = from && { ExclusiveStartKey: toItem(from) };
    const request = { TableName: this.#name, ...input, ...start };
    const { Items = [], Count = 0, LastEvaluatedKey: next } = await this.#call('Query', request);
    return { items: Items.map(fromItem<Item>), count: Count, next: next && fromItem(next) };
  }

  /** All that a query finds. */
  async *pages<Item>(input: Omit<QueryInput, 'TableName'>): AsyncGenerator<Page<Item>> {
    let next: Key | undefined;
    do {
      const page: Page<Item> = await this.query<Item>(input, next);
      yield page;
      next = page.next;
    } while (next);
  }

  /** Adds to a number. @returns what it has become */
  async add(key: Key, name: string, amount: number): Promise<number> {
    const { Attributes = {} } = await this.#call('UpdateItem', {
      ...{ TableName: this.#name, Key: toItem(key), ReturnValues: 'UPDATED_NEW' },
      ...expressions({ UpdateExpression: `ADD #${name} :amount` }, { amount }),
    });
    return fromItem<Record<string, number>>(Attributes)[name] ?? amount;
  }

  /** @param returns the updated item, when asked to */
  async write(write: Write, returns?: 'ALL_NEW'): Promise<Written> {
    const [written] = await this.writeAll([write], returns);
    return written as Written;
  }

  /** Makes several writes, in one transaction. @returns what became of each */
  async writeAll(writes: readonly Write[], returns?: 'ALL_NEW'): Promise<Written[]> {
    const named = writes.map(({ kind, input }) => ({
      kind,
      input: { TableName: this.#name, ...input },
    }));
    const [only, ...others] = named;
    try {
      if (only && others.length === 0) {
        // The inputs of all of these are alike.
        const command = `${only.kind}Item` as 'UpdateItem';
        const input = { ...only.input, ...(returns && { ReturnValues: returns }) };
        const { Attributes } = await this.#request(command, input as UpdateItemInput);
        return [{ isDone: true, item: Attributes && fromItem(Attributes) }];
      }
      const TransactItems = named.map(({ kind, input }) => ({ [kind]: input }));
      await this.#request('TransactWriteItems', { TransactItems });
      return writes.map(() => ({ isDone: true, item: undefined }));
    } catch (error) {
      return outcomes(error as DriverError);
    }
  }

  #call: Call = (command, input) =>
    this.#request(command, input).catch((error) => {
      throw callError(error);
    });
}

/** @throws SchedError unless it is that conditions did not hold */
function outcomes(error: DriverError): Written[] {
  const { name, $metadata, Item, CancellationReasons } = error;
  if (name === 'ConditionalCheckFailedException') {
    const doubt = ($metadata?.attempts ?? 1) > 1 ? doubtful(error) : undefined;
    return [{ isDone: false, item: Item && fromItem(Item), doubt }];
  }
  // Of a transaction that the client repeats DynamoDB knows that it is the same.
  const written = (CancellationReasons ?? []).map(({ Code, Item }) => ({
    isDone: Code !== 'ConditionalCheckFailed',
    item: Item && fromItem<TaskItem>(Item),
  }));
  if (written.every(({ isDone }) => isDone)) throw callError(error);
  return written;
}

/** How often a write is tried while others change the item. */
const maxTries = 10;

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
