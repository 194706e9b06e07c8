import { checkMembers } from '../check.js';
import type { DataStoreOptions } from '../data-store.js';
import { SchedError } from '../errors.js';

/** The options that every store on a database takes. */
export interface AdapterOptions extends DataStoreOptions {
  /** `false` creates and changes nothing: what the store needs must be there and current. Default `true`. */
  readonly migrate?: boolean;
}

/** What every store goes by, with the defaults filled in. */
export interface AdapterSettings {
  /** The injected clock, if there is one. */
  readonly clock: (() => number) | undefined;
  readonly historyLimit: number;
  readonly historyMaxAgeMs: number;
  readonly migrate: boolean;
}

const commonNames = ['clock', 'historyLimit', 'historyMaxAgeMs'] as const;

/**
 * Checks the options that every store takes, and that there are no others than these and the adapter's own.
 *
 * @param what the class: `PostgresDataStore`
 * @param names of the adapter's own options; `migrate` too, where there is something to create
 * @throws SchedError `SCHED_STORE_CONFIG`
 */
export function readAdapterOptions<Options extends AdapterOptions>(
  what: string,
  options: Options,
  names: readonly (keyof Options & string)[],
): AdapterSettings {
  const {
    clock,
    historyLimit = 100,
    historyMaxAgeMs = 7 * 24 * 3_600_000,
    migrate = true,
  } = checkMembers(
    `The options of ${what}`,
    options,
    [...names, ...commonNames],
    'SCHED_STORE_CONFIG',
  );
  checkWhole('historyLimit', historyLimit, 0);
  checkWhole('historyMaxAgeMs', historyMaxAgeMs, 1);
  return { clock, historyLimit, historyMaxAgeMs, migrate };
}

/** @throws SchedError `SCHED_STORE_CONFIG` with the message, unless the condition holds */
export function checkSetting(condition: unknown, message: string): asserts condition {
  if (!condition) throw new SchedError('SCHED_STORE_CONFIG', message);
}

/** @throws SchedError `SCHED_STORE_CONFIG` when the value is not a whole number in this range; infinity counts as one */
export function checkWhole(
  option: string,
  value: number,
  minimum: number,
  maximum = Number.POSITIVE_INFINITY,
): void {
  const range = `${minimum}${Number.isFinite(maximum) ? ` and at most ${maximum}` : ''}`;
  checkSetting(
    Math.trunc(value) === value && value >= minimum && value <= maximum,
    `${option} must be a whole number of at least ${range}, not ${value}.`,
  );
}

/**
 * @param form says in words what the pattern says
 * @throws SchedError `SCHED_STORE_CONFIG` when a name is of another form
 */
export function checkName(option: string, value: unknown, pattern: RegExp, form: string): void {
  checkSetting(
    typeof value === 'string' && pattern.test(value),
    `${option} must be ${form}; not ${JSON.stringify(value)?.slice(0, 80)}.`,
  );
}

/** Which names SQL takes without quotes. */
export function checkSqlName(option: string, value: unknown): void {
  const form = '1 to 31 of a-z, 0-9 and _, and not begin with a digit';
  checkName(option, value, /^[a-z_][a-z0-9_]{0,30}$/, form);
}

/**
 * Never shows the URL: it may hold a password.
 *
 * @param protocols such as `redis:`
 * @throws SchedError `SCHED_STORE_CONFIG` when it is no URL, or one of another kind
 */
export function checkUrl(
  option: string,
  url: string,
  protocols: readonly string[],
  example: string,
): void {
  checkSetting(
    protocols.includes(URL.parse(url)?.protocol ?? ''),
    `${option} must look like ${example}, with special characters percent-encoded.`,
  );
}

/**
 * Which one of several options is given, of which only one can be.
 *
 * @throws SchedError `SCHED_STORE_CONFIG` when it is none or several
 */
export function theOneGiven<Given extends object>(given: Given): keyof Given & string {
  const names = Object.keys(given) as (keyof Given & string)[];
  const [one, another] = names.filter((name) => given[name] !== undefined);
  checkSetting(
    one !== undefined && another === undefined,
    names.length === 2
      ? `Give either ${names.join(' or ')}.`
      : `Exactly one of ${names.slice(0, -1).join(', ')} and ${names.at(-1)} must be given.`,
  );
  return one;
}
