import { setTimeout as sleep } from 'node:timers/promises';
import type { BatchGetItemOutput } from '@aws-sdk/client-dynamodb';
import { importDriver } from '@sched/core';
import { type AtEnd, UnderWay } from '@sched/core/adapter';
import type { Call, Command, DynamoDBClientLike } from './client.js';
import { isThrottled, storeError } from './errors.js';
import type { Settings } from './options.js';

/** How long a server may take to accept a connection, and to answer, in milliseconds. */
const timeouts = { connectionTimeout: 5000, requestTimeout: 10_000, throwOnRequestTimeout: true };
/** The most requests under way at once: no more than the sockets that a client of the SDK has by default. */
const maxUnderWay = 48;
/** How often a request that was throttled is made again: for some six seconds on average. */
const maxRetries = 10;
const firstDelayMs = 25;
const maxDelayMs = 3000;

/**
 * @returns what makes a request; again if it is throttled. Rejects with a `SchedError`, of which what the SDK says is the
 *   cause
 */
export async function connect({ client, connection }: Settings, atEnd: AtEnd): Promise<Call> {
  const driver = await importDriver(
    '@aws-sdk/client-dynamodb',
    () => import('@aws-sdk/client-dynamodb'),
  );
  // A call whose answer was lost is reported, not made again in silence: the core knows how to go on.
  const config = { requestHandler: timeouts, maxAttempts: 1, ...connection };
  const target: DynamoDBClientLike & { destroy?(): void } =
    client ?? new driver.DynamoDBClient(config);
  const commands = driver as unknown as Record<`${Command}Command`, new (input: object) => object>;
  const inTurn = limiter(maxUnderWay);
  const underWay = new UnderWay();
  let wasAnswered = false;

  async function send(command: Command, input: object): Promise<object> {
    const answer = await target.send(new commands[`${command}Command`](input));
    wasAnswered = true;
    if (command === 'BatchGetItem') checkProgress(answer);
    return answer;
  }

  if (!client) atEnd(() => target.destroy?.());
  atEnd(() => underWay.idle());
  return (command, input) => {
    const answer = inTurn(() => patiently(() => send(command, input)));
    return underWay.add(
      answer.catch((error) => {
        throw storeError(error, wasAnswered);
      }),
    );
  };
}

/** An answer that is full leaves keys to be read at once; one that is empty was throttled, and does not say so. */
function checkProgress({ Responses = {}, UnprocessedKeys = {} }: BatchGetItemOutput): void {
  const isEmpty = Object.values(Responses).every((items) => items.length === 0);
  if (!isEmpty || Object.keys(UnprocessedKeys).length === 0) return;
  const message = 'All keys were left unprocessed. Check the capacity of the table.';
  throw Object.assign(new Error(message), { name: 'Throttling' });
}

/** Does again what was throttled. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let retries = 0; ; retries++) {
    try {
      return await work();
    } catch (error) {
      if (!isThrottled(error) || retries === maxRetries) throw error;
    }
    // Longer each time, by chance, so that those who were throttled together do not come back together.
    await sleep(Math.random() * Math.min(maxDelayMs, firstDelayMs * 2 ** retries));
  }
}

/** Has no more than so many do their work at once. */
function limiter(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let free = most;
  return async (work) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}
