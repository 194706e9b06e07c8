import { SchedError } from '../errors.js';

/** What is found of a schema, and what is needed. */
export interface SchemaCheck {
  /** `The tables sched_*` */
  readonly what: string;
  /** The package: `@sched/postgres` */
  readonly adapter: string;
  /** The version in the database; 0 where there is none. */
  readonly found: number;
  /** The version that this code reads and writes. */
  readonly known: number;
  /** Whether it may be created or changed. */
  readonly migrate: boolean;
  /** The options that lead there: `schema and namespace` */
  readonly settings: string;
}

/** The statements for a database whose users may not create anything. */
export interface SchemaSql {
  /** What creates the schema, in this order, where there is none. */
  readonly create: readonly string[];
  /** What grants a user as much as it needs to run tasks, only to schedule them, or only to look at them. */
  readonly grants: Readonly<Record<'work' | 'schedule' | 'read', readonly string[]>>;
}

/**
 * @returns whether the schema is current, and need not be created or changed
 * @throws SchedError `SCHED_STORE_SCHEMA` when it is newer, or is not current and must not be changed
 */
export function isSchemaCurrent(check: SchemaCheck): boolean {
  const { what, adapter, found, known, migrate, settings } = check;
  if (found > known) {
    throw schemaError(
      `${what} have schema version ${found}, and this ${adapter} knows ${known}. Install the version of ${adapter} that wrote them, or a later one.`,
    );
  }
  if (found < known && !migrate) {
    const problem = found === 0 ? 'do not exist' : `have schema version ${found}, not ${known}`;
    throw schemaError(
      `${what} ${problem}, and migrate: false forbids to create or change any. Open the store once with migrate: true, or correct ${settings}.`,
    );
  }
  return found === known;
}

export function schemaError(message: string): SchedError {
  return new SchedError('SCHED_STORE_SCHEMA', message);
}

/**
 * @param version of the server: numbers, separated by points or dashes
 * @param minimum the oldest that will do
 * @throws SchedError `SCHED_STORE_UNSUPPORTED` when the server is older
 */
export function checkServerVersion(
  title: string,
  version: string,
  minimum: string,
  adapter: string,
): void {
  const numbers = version.split(/[.-]/).map((number) => Number.parseInt(number, 10));
  const least = minimum.split('.').map(Number);
  const at = least.findIndex((number, index) => numbers[index] !== number);
  if (at < 0 || (numbers[at] ?? 0) > (least[at] ?? 0)) return;
  throw new SchedError(
    'SCHED_STORE_UNSUPPORTED',
    `The server is ${title} ${version}. ${adapter} needs ${title} ${minimum} or later.`,
  );
}
