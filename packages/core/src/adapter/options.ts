import { checkMembers } from '../check.js';
import type { DataStoreOptions } from '../data-store.js';
import { SchedError } from '../errors.js';

/** The options that every store on a database takes. */
export interface AdapterOptions extends DataStoreOptions {
  /** `false` creates and changes nothing: what the store needs must be there and current. Default `true`. */
  readonly migrate?: boolean;
}

/** Options that cannot be given beside others: `Without<'url' | 'pool'>` */
export type Without<Names extends string> = { readonly [Name in Names]?: never };

/** What every store goes by, with the defaults filled in. */
export interface AdapterSettings {
  /** The injected clock, if there is one. */
  readonly clock: (() => number) | undefined;
  readonly historyLimit: number;
  readonly historyMaxAgeMs: number;
}

const common = {
  clock: undefined,
  historyLimit: 100,
  historyMaxAgeMs: 7 * 24 * 3_600_000,
};

/** Options, of which those that have a default are never undefined. */
export type WithDefaults<Options, Defaults> = {
  readonly [Name in keyof Options & keyof Defaults]-?: undefined extends Defaults[Name]
    ? Options[Name] | undefined
    : Exclude<Options[Name], undefined>;
};

/**
 * Fills in defaults, and checks that there are no other options than these and those that every store takes.
 *
 * @param what the class: `PostgresDataStore`
 * @param defaults of all the adapter's own options; `undefined` for those without one
 * @throws SchedError `SCHED_STORE_CONFIG`
 */
export function readAdapterOptions<
  Options extends AdapterOptions,
  Defaults extends { readonly [Name in keyof Options]?: Options[Name] | undefined },
>(
  what: string,
  options: Options,
  defaults: Defaults,
): AdapterSettings & WithDefaults<Options, Defaults> {
  const all = { ...common, ...defaults };
  checkMembers(`The options of ${what}`, options, Object.keys(all), 'SCHED_STORE_CONFIG');
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const parts: object[] = [all, Object.fromEntries(given)];
  const settings: AdapterSettings & WithDefaults<Options, Defaults> = Object.assign({}, ...parts);
  checkWhole('historyLimit', settings.historyLimit, 0);
  checkWhole('historyMaxAgeMs', settings.historyMaxAgeMs, 1);
  return settings;
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
