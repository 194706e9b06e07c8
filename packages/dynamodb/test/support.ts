import { randomUUID } from 'node:crypto';
import type { ConsumedCapacity, DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { DynamoDBClientLike, DynamoDBDataStoreOptions } from '@sched/dynamodb';
import { DynamoDBDataStore } from '@sched/dynamodb';
import { cleanup } from '@sched-tooling/adapter-tests';
import type { RunningService } from '@sched-tooling/services';
import { optionsFor } from './place.js';

/** A request, as the client is given it. */
interface Request {
  /** Such as `UpdateItem`. */
  readonly name: string;
  readonly input: Record<string, unknown>;
}

/** Stands between a store and its client: does what it likes, and `send`s on what it likes. */
export type Interception = (request: Request, send: () => Promise<object>) => Promise<object>;

/** An error as the SDK throws it. */
export function driverError(name: string, members: object = {}): Error {
  return Object.assign(new Error(`as AWS says it: ${name}`), { name, $metadata: {}, ...members });
}

const capacityNames = new Set([
  'BatchGetItem',
  'DeleteItem',
  'GetItem',
  'PutItem',
  'Query',
  'TransactWriteItems',
  'UpdateItem',
]);

/** What tests make on one server, gone after each of them. */
export function workbench(server: RunningService) {
  const later = cleanup();
  const options = optionsFor(server);

  const bench = {
    later,
    options,

    /** A namespace of its own. */
    namespace(): string {
      return `test-${randomUUID()}`;
    },

    /** The name of a table that is not there yet. */
    table(): string {
      const TableName = `test-${randomUUID()}`;
      later(() => bench.client().deleteTable(TableName));
      return TableName;
    },

    /** An open store, in a namespace of its own unless told otherwise, at the time 1000. */
    open(given: Partial<DynamoDBDataStoreOptions> = {}): Promise<DynamoDBDataStore> {
      return bench.openInRealTime({ clock: () => 1000, ...given });
    },

    async openInRealTime(given: Partial<DynamoDBDataStoreOptions>): Promise<DynamoDBDataStore> {
      const place = { tableName: 'tests', namespace: bench.namespace() };
      const source = given.client ? {} : options;
      const store = new DynamoDBDataStore({
        ...place,
        ...source,
        ...given,
      } as DynamoDBDataStoreOptions);
      await store.open();
      later(async () => {
        await store.remove({ all: true }).catch(() => {});
        await store.close();
      });
      return store;
    },

    /** A client of the user's own. */
    client(config: DynamoDBClientConfig = {}) {
      const { endpoint, connection } = options;
      const client = new DynamoDBClient({ endpoint, ...connection, ...config });
      later(() => client.destroy());
      return Object.assign(client, {
        async deleteTable(TableName: string) {
          const { DeleteTableCommand } = await import('@aws-sdk/client-dynamodb');
          await client.send(new DeleteTableCommand({ TableName })).catch(() => {});
        },
      });
    },

    /** A client whose requests go through a function. */
    intercepted(intercept: Interception): DynamoDBClientLike {
      const client = bench.client();
      return {
        send(command) {
          const { input } = command as { input: Record<string, unknown> };
          const name = command.constructor.name.replace(/Command$/, '');
          return intercept({ name, input }, () => client.send(command as never));
        },
      };
    },

    /** A client that notes what requests there are and what they consume. */
    meter() {
      const names: string[] = [];
      let [units, read, written] = [0, 0, 0];
      const client = bench.intercepted(async ({ name, input }, send) => {
        names.push(name);
        if (capacityNames.has(name)) input.ReturnConsumedCapacity = 'INDEXES';
        const answer = (await send()) as {
          ConsumedCapacity?: ConsumedCapacity | ConsumedCapacity[];
        };
        const consumed = [answer.ConsumedCapacity ?? []].flat();
        for (const { CapacityUnits = 0 } of consumed) {
          units += CapacityUnits;
          if (/^(Query|GetItem|BatchGetItem)$/.test(name)) read += CapacityUnits;
          else written += CapacityUnits;
        }
        return answer;
      });
      return {
        client,
        /** What some work asks for and consumes. */
        async during(work: () => Promise<unknown>) {
          names.length = 0;
          [units, read, written] = [0, 0, 0];
          await work();
          return { names: [...names], units, read, written };
        },
      };
    },
  };
  return bench;
}
