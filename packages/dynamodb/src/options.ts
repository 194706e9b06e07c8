import type { DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import type { AdapterOptions, Without } from '@sched/core/adapter';
import {
  checkName,
  checkSetting,
  checkUrl,
  checkWhole,
  readAdapterOptions,
} from '@sched/core/adapter';
import type { DynamoDBClientLike } from './client.js';

interface CommonOptions extends AdapterOptions {
  /** The table, created if need be. Default `sched`. */
  readonly tableName?: string;
  /** Stores of different namespaces share a table and nothing else. Up to 64 letters, digits, `_` and `-`. Default `sched`. */
  readonly namespace?: string;
  /**
   * Over how many parts the tasks, and the due tasks of each queue, are spread: 1 to 256. A namespace keeps the number
   * that it was created with. Default: that number, and 4 for a new namespace.
   */
  readonly shards?: number;
  /** `true` creates no table: it must be there, as the README describes it. Default `false`. */
  readonly skipTableCreate?: boolean;
  /**
   * By how much the clocks of any two processes that share the store may differ. A lease counts as over for others only
   * that much later. Default 1000, and 0 with a `clock`.
   */
  readonly maxClockSkewMs?: number;
  /**
   * How far the indexes may be behind the table. For that long after it has made a task due, a store that finds none
   * asks to be called again soon. Default 1000, and 0 with a `clock`.
   */
  readonly maxIndexLagMs?: number;
}

/** The store uses a client of the user's own, and neither destroys nor configures it. */
export interface DynamoDBClientOptions
  extends CommonOptions,
    Without<'region' | 'endpoint' | 'connection'> {
  /** A `DynamoDBClient`. */
  readonly client: DynamoDBClientLike;
}

/** The store makes a client of its own. */
export interface DynamoDBConnectionOptions extends CommonOptions, Without<'client'> {
  /** Default: as the SDK finds it, in `AWS_REGION` or the shared configuration files. */
  readonly region?: string;
  /** A URL, for DynamoDB Local and the like. Default: that of the region. */
  readonly endpoint?: string;
  /** What else `new DynamoDBClient` takes. Default: credentials as the SDK finds them. */
  readonly connection?: DynamoDBClientConfig;
}

export type DynamoDBDataStoreOptions = DynamoDBClientOptions | DynamoDBConnectionOptions;

/** @throws SchedError `SCHED_STORE_CONFIG`, naming the setting */
export function readOptions(options: DynamoDBDataStoreOptions) {
  const tolerated = options?.clock ? 0 : 1000;
  const settings = readAdapterOptions('DynamoDBDataStore', options, {
    ...{ client: undefined, region: undefined, endpoint: undefined, connection: undefined },
    ...{ tableName: 'sched', namespace: 'sched', shards: undefined, migrate: true },
    ...{ skipTableCreate: false, maxClockSkewMs: tolerated, maxIndexLagMs: tolerated },
  });
  const { client, region, endpoint, connection, tableName, namespace, shards = 1 } = settings;
  checkSetting(
    client === undefined || [region, endpoint, connection].every((each) => each === undefined),
    'region, endpoint and connection cannot be given along with client.',
  );
  checkSetting(
    client === undefined || typeof client.send === 'function',
    'client must be a DynamoDBClient of @aws-sdk/client-dynamodb.',
  );
  if (endpoint !== undefined) {
    checkUrl('endpoint', endpoint, ['http:', 'https:'], 'http://localhost:8000');
  }
  checkName('tableName', tableName, /^[\w.-]{3,255}$/, '3 to 255 letters, digits and _.-');
  checkName('namespace', namespace, /^[\w-]{1,64}$/, '1 to 64 letters, digits, _ and -');
  checkWhole('shards', shards, 1, 256);
  checkWhole('maxClockSkewMs', settings.maxClockSkewMs, 0, 3_600_000);
  checkWhole('maxIndexLagMs', settings.maxIndexLagMs, 0, 60_000);
  const config: DynamoDBClientConfig = {
    ...{ ...connection, ...(region && { region }), ...(endpoint && { endpoint }) },
  };
  const skipTableCreate = settings.skipTableCreate || !settings.migrate;
  return { ...settings, connection: config, skipTableCreate };
}

/** The options with their defaults, checked. */
export type Settings = ReturnType<typeof readOptions>;
