import type { ConformancePlace } from '@sched/core/conformance';
import type { RunningService, Which } from '@sched-tooling/services';
import { describeOn } from '@sched-tooling/services';
import { describe } from 'vitest';
import { servedTarget } from '../../../packages/core/test/served-store/index.js';
import { createPlace as createDynamoDBPlace } from '../../../packages/dynamodb/test/place.js';
import { createPlace as createMongoPlace } from '../../../packages/mongo/test/place.js';
import { createPlace as createMysqlPlace } from '../../../packages/mysql/test/place.js';
import { createPlace as createPostgresPlace } from '../../../packages/postgres/test/place.js';
import { createPlace as createRedisPlace } from '../../../packages/redis/test/place.js';
import { createPlace as createSqlitePlace } from '../../../packages/sqlite/test/place.js';

/** A store, and how tests get a place on it: each package's own tests know how. */
type Entry =
  | { readonly create: () => MaybePlace }
  | {
      /** The server that it is on, by its name in `@sched-tooling/services`. */
      readonly service: string;
      /** Answers tens of calls a second where others answer thousands. */
      readonly isSlow?: true;
      readonly create: (server: RunningService) => MaybePlace;
    };
type MaybePlace = ConformancePlace | Promise<ConformancePlace>;

const entries = {
  /** Served by the process that makes the place, so that others can work on it as long as that one lives. */
  memory: { create: () => servedTarget().create() },
  sqlite: { create: createSqlitePlace },
  postgres: { service: 'postgres', create: ({ url }) => createPostgresPlace(url) },
  'postgres through pgbouncer': {
    service: 'pgbouncer',
    create: ({ url }) => createPostgresPlace(url),
  },
  redis: { service: 'redis', create: createRedisPlace },
  'redis cluster': { service: 'redis-cluster', create: createRedisPlace },
  mysql: { service: 'mysql', create: ({ url }) => createMysqlPlace(url) },
  mariadb: { service: 'mariadb', create: ({ url }) => createMysqlPlace(url) },
  ferretdb: { service: 'ferretdb', create: ({ url }) => createMongoPlace(url) },
  secantusdb: { service: 'secantusdb', isSlow: true, create: ({ url }) => createMongoPlace(url) },
  dynamodb: { service: 'dynamodb', isSlow: true, create: createDynamoDBPlace },
} as const satisfies Record<string, Entry>;

export type StoreName = keyof typeof entries;

/** Every store on every server that it is tested on. */
export const storeNames = Object.keys(entries) as StoreName[];

/** A store in a test. */
export interface TestStore {
  readonly name: StoreName;
  /** Absent for a store that is on none. */
  readonly server: RunningService | undefined;
  /** Whether it should be given less to do. */
  readonly isSlow: boolean;
  /** A place on it that no other test has. Whoever asks for it disposes of it. */
  create(): Promise<TestPlace>;
}

/**
 * A file, a schema, a key prefix: somewhere tasks can be kept. `connect` makes handles on it in this process, and
 * `process` says how others make theirs.
 */
export type TestPlace = ConformancePlace & Required<Pick<ConformancePlace, 'process' | 'dispose'>>;

/**
 * Registers tests that need stores: a `describe` whose body gets them, in the order of their names. Await it at the top
 * of the test file. Where a server cannot be had, and for `which`, see `describeOn` of `@sched-tooling/services`.
 */
export async function describeStores<const Names extends readonly StoreName[]>(
  names: Names,
  title: string,
  body: (...stores: { [K in keyof Names]: TestStore }) => void,
  which: Which = {},
): Promise<void> {
  const services = names.flatMap((name) => {
    const entry: Entry = entries[name];
    return 'service' in entry ? [entry.service] : [];
  });
  const run = (...servers: readonly RunningService[]) => {
    const rest = servers[Symbol.iterator]();
    const stores = names.map((name) => testStore(name, entries[name], rest));
    body(...(stores as { [K in keyof Names]: TestStore }));
  };
  if (services.length === 0) describe(`${title} on ${names.join(' and ')}`, () => run());
  else await describeOn(services, title, run, which);
}

/** @param servers those of the stores from this one on */
function testStore(name: StoreName, entry: Entry, servers: Iterator<RunningService>): TestStore {
  if (!('service' in entry)) {
    return { name, server: undefined, isSlow: false, create: () => checked(entry.create()) };
  }
  const { isSlow = false, create } = entry;
  const server: RunningService = servers.next().value;
  return { name, server, isSlow, create: () => checked(create(server)) };
}

async function checked(made: MaybePlace): Promise<TestPlace> {
  const place = await made;
  const { process, dispose } = place;
  if (!process || !dispose) throw new Error('This place cannot be reached by others, or removed.');
  return { ...place, process, dispose };
}
