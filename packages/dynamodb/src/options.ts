import type { DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import type { DataStoreOptions } from '@sched/core';
import { checkMembers, SchedError } from '@sched/core';
import type { DynamoDBClientLike } from './client.js';

interface CommonOptions extends DataStoreOptions {
  /** The table, created if need be. Default `sched`. */
  readonly tableName?: string;
  /** Stores of different namespaces share a table and nothing else. Up to 64 letters, digits, `_` and `-`. Default `sched`. */
  readonly namespace?: string;
  /**
   * Over how many parts the tasks, and the due tasks of each queue, are spread: 1 to 256. A namespace keeps the number
   * that it was created with. Default: that number, and 4 for a new namespace.
   */
  readonly shards?: number;
  /** `false` creates nothing: the table and the namespace must be there and current. Default `true`. */
  readonly migrate?: boolean;
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
export interface DynamoDBClientOptions extends CommonOptions {
  /** A `DynamoDBClient`. */
  readonly client: DynamoDBClientLike;
  readonly region?: never;
  readonly endpoint?: never;
  readonly connection?: never;
}

/** The store makes a client of its own. */
export interface DynamoDBConnectionOptions extends CommonOptions {
  /** Default: as the SDK finds it, in `AWS_REGION` or the shared configuration files. */
  readonly region?: string;
  /** A URL, for DynamoDB Local and the like. Default: that of the region. */
  readonly endpoint?: string;
  /** What else `new DynamoDBClient` takes. Default: credentials as the SDK finds them. */
  readonly connection?: DynamoDBClientConfig;
  readonly client?: never;
}

export type DynamoDBDataStoreOptions = DynamoDBClientOptions | DynamoDBConnectionOptions;

const optionNames = [
  'client',
  'region',
  'endpoint',
  'connection',
  'tableName',
  'namespace',
  'shards',
  'migrate',
  'skipTableCreate',
  'maxClockSkewMs',
  'maxIndexLagMs',
  'clock',
  'historyLimit',
  'historyMaxAgeMs',
] satisfies readonly (keyof DynamoDBDataStoreOptions)[];

/** The options with their defaults, checked. */
export interface Settings {
  readonly client: DynamoDBClientLike | undefined;
  readonly connection: DynamoDBClientConfig;
  readonly tableName: string;
  readonly namespace: string;
  readonly shards: number | undefined;
  readonly migrate: boolean;
  readonly skipTableCreate: boolean;
  readonly maxClockSkewMs: number;
  readonly maxIndexLagMs: number;
  readonly clock: (() => number) | undefined;
  readonly historyLimit: number;
  readonly historyMaxAgeMs: number;
}

/** @throws SchedError `SCHED_STORE_CONFIG`, naming the setting */
export function readOptions(options: DynamoDBDataStoreOptions): Settings {
  const {
    client,
    region,
    endpoint,
    connection,
    tableName = 'sched',
    namespace = 'sched',
    shards,
    migrate = true,
    skipTableCreate = false,
    clock,
    maxClockSkewMs = clock ? 0 : 1000,
    maxIndexLagMs = clock ? 0 : 1000,
    historyLimit = 100,
    historyMaxAgeMs = 7 * 24 * 3_600_000,
  } = checkMembers('The options of DynamoDBDataStore', options, optionNames, 'SCHED_STORE_CONFIG');
  check(
    client === undefined || [region, endpoint, connection].every((each) => each === undefined),
    'region, endpoint and connection cannot be given along with client.',
  );
  check(
    client === undefined || typeof client.send === 'function',
    'client must be a DynamoDBClient of @aws-sdk/client-dynamodb.',
  );
  check(
    endpoint === undefined || /^https?:$/.test(URL.parse(endpoint)?.protocol ?? ''),
    'endpoint must be a URL such as http://localhost:8000.',
  );
  checkName('tableName', tableName, /^[\w.-]{3,255}$/, '3 to 255 letters, digits and _.-');
  checkName('namespace', namespace, /^[\w-]{1,64}$/, '1 to 64 letters, digits, _ and -');
  checkNumber('shards', shards ?? 1, 1, 256);
  checkNumber('maxClockSkewMs', maxClockSkewMs, 0, 3_600_000);
  checkNumber('maxIndexLagMs', maxIndexLagMs, 0, 60_000);
  checkNumber('historyLimit', historyLimit, 0);
  checkNumber('historyMaxAgeMs', historyMaxAgeMs, 1);
  return {
    client,
    connection: { ...connection, ...(region && { region }), ...(endpoint && { endpoint }) },
    tableName,
    namespace,
    shards,
    migrate,
    skipTableCreate: skipTableCreate || !migrate,
    maxClockSkewMs,
    maxIndexLagMs,
    clock,
    historyLimit,
    historyMaxAgeMs,
  };
}

function checkName(option: string, value: unknown, pattern: RegExp, what: string): void {
  check(
    typeof value === 'string' && pattern.test(value),
    `${option} must be ${what}, not ${JSON.stringify(value)?.slice(0, 80)}.`,
  );
}

function checkNumber(
  option: string,
  value: number,
  minimum: number,
  maximum = Number.POSITIVE_INFINITY,
): void {
  check(
    (Number.isInteger(value) || value === maximum) && value >= minimum && value <= maximum,
    `${option} must be a whole number of at least ${minimum}${Number.isFinite(maximum) ? ` and at most ${maximum}` : ''}, not ${value}.`,
  );
}

export function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new SchedError('SCHED_STORE_CONFIG', message);
}
