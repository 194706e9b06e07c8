import { importDriver } from '@sched/core';
import type { Call, Command, DynamoDBClientLike, OwnClient } from './client.js';
import type { Settings } from './options.js';

export interface Connection {
  /** Makes one request, once. */
  readonly call: Call;
  close(): void;
}

/** How long a server may take to accept a connection, and to answer, in milliseconds. */
const timeouts = { connectionTimeout: 5000, requestTimeout: 10_000, throwOnRequestTimeout: true };

export async function connect({ client, connection }: Settings): Promise<Connection> {
  const driver = await importDriver(
    '@aws-sdk/client-dynamodb',
    () => import('@aws-sdk/client-dynamodb'),
  );
  // A call whose answer was lost is reported, not made again in silence: the core knows how to go on.
  const own: OwnClient | undefined = client
    ? undefined
    : new driver.DynamoDBClient({ requestHandler: timeouts, maxAttempts: 1, ...connection });
  const target: DynamoDBClientLike | undefined = client ?? own;
  const commands = driver as unknown as Record<`${Command}Command`, new (input: object) => object>;
  return {
    call: async (command, input) => target?.send(new commands[`${command}Command`](input)) ?? {},
    close: () => own?.destroy(),
  };
}
