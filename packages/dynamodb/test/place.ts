import { randomUUID } from 'node:crypto';
import type { ConformancePlace } from '@sched/core/conformance';
import { DynamoDBDataStore } from '@sched/dynamodb';
import type { RunningService } from '@sched-tooling/services';

/** DynamoDB Local takes any credentials. */
const anyone = { region: 'local', credentials: { accessKeyId: 'sched', secretAccessKey: 'sched' } };

/** The options by which stores reach a server; on AWS as whoever the environment says. */
export function optionsFor({ url }: RunningService) {
  const isLocal = !new URL(url).hostname.endsWith('.amazonaws.com');
  return { endpoint: url, connection: isLocal ? anyone : {} };
}

/** A namespace of its own in a table that all share, for the conformance kit. */
export function createPlace(server: RunningService): ConformancePlace {
  const options = {
    ...optionsFor(server),
    tableName: 'conformance',
    namespace: `test-${randomUUID()}`,
  };
  const { protocol, hostname, port } = new URL(server.url);
  return {
    connect: (given, address) =>
      new DynamoDBDataStore({
        ...options,
        ...(address && { endpoint: `http://${address.host}:${address.port}` }),
        ...given,
      }),
    ...(protocol === 'http:' && { address: { host: hostname, port: Number(port) } }),
    process: { module: new URL('connect.js', import.meta.url).href, argument: options },
    async dispose() {
      const store = new DynamoDBDataStore(options);
      await store.open();
      await store.remove({ all: true });
      await store.close();
    },
  };
}
