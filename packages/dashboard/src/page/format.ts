/** Moments, lengths of time and numbers, as people read them. */

export const ownZone = Intl.DateTimeFormat().resolvedOptions().timeZone;

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatter(timeZone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = JSON.stringify([timeZone, options]);
  const found = formatters.get(key) ?? new Intl.DateTimeFormat('en-GB', { ...options, timeZone });
  formatters.set(key, found);
  return found;
}

/** Whether this browser knows a time zone. */
export function isZone(timeZone: string): boolean {
  try {
    formatter(timeZone, {});
    return true;
  } catch {
    return false;
  }
}

/** `Tue 3 Mar 2026, 09:30:00`. */
export function moment(at: string | number, timeZone = ownZone): string {
  const { weekday, day, month, year, hour, minute, second } = partsOf(at, timeZone);
  return `${weekday} ${day} ${month} ${year}, ${hour}:${minute}:${second}`;
}

/** As short as it can be: the time alone today, with the date on other days. */
export function shortMoment(at: string | number, now: number, timeZone = ownZone): string {
  const { day, month, year, hour, minute, second } = partsOf(at, timeZone);
  const today = partsOf(now, timeZone);
  const time = `${hour}:${minute}:${second}`;
  if (day === today.day && month === today.month && year === today.year) return time;
  return year === today.year ? `${day} ${month} ${time}` : `${day} ${month} ${year} ${time}`;
}

function partsOf(at: string | number, timeZone: string): Record<string, string> {
  const parts = formatter(timeZone, {
    ...{ weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' },
    ...{ hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' },
  }).formatToParts(new Date(at));
  return Object.fromEntries(parts.map(({ type, value }) => [type, value]));
}

/** By how many minutes the clock of a zone is ahead of UTC at a moment. */
export function offsetMinutes(at: number, timeZone: string): number {
  const parts = formatter(timeZone, { timeZoneName: 'longOffset' }).formatToParts(at);
  const name = parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
  const [, sign, hours = '0', minutes = '0'] = /([+-])(\d\d):(\d\d)/.exec(name) ?? [];
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}

/** `UTC+2`, `UTC+5:30`, `UTC`. */
export function offsetText(minutes: number): string {
  if (minutes === 0) return 'UTC';
  const size = Math.abs(minutes);
  const rest = size % 60 === 0 ? '' : `:${String(size % 60).padStart(2, '0')}`;
  return `UTC${minutes < 0 ? '−' : '+'}${Math.floor(size / 60)}${rest}`;
}

export interface ClockChange {
  /** The first moment at which the new offset holds. */
  readonly at: number;
  readonly before: number;
  readonly after: number;
}

/** The change of a zone's clock between two moments, if its offset is not the same at both. */
export function clockChange(from: number, to: number, timeZone: string): ClockChange | undefined {
  const before = offsetMinutes(from, timeZone);
  const after = offsetMinutes(to, timeZone);
  if (before === after) return undefined;
  let [low, high] = [from, to];
  while (high - low > 60_000) {
    const middle = Math.floor((low + high) / 2);
    if (offsetMinutes(middle, timeZone) === before) low = middle;
    else high = middle;
  }
  return { at: Math.floor(high / 60_000) * 60_000, before, after };
}

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
] as const;

/** `350 ms`, `2.4 s`, `3 min 20 s`, `2 d 4 h`. */
export function duration(ms: number): string {
  const size = Math.abs(ms);
  if (Math.round(size) < 1000) return `${Math.round(size)} ms`;
  if (size < 10_000) return `${(size / 1000).toFixed(1).replace('.0', '')} s`;
  const index = units.findIndex(([, length]) => size >= length);
  const [unit, length] = units[index] ?? units[3];
  const smaller = units[index + 1];
  if (!smaller) return `${Math.floor(size / 1000)} s`;
  const [smallerUnit, step] = smaller;
  const rounded = Math.round(size / step) * step;
  // 59 min 59.7 s are an hour.
  if (rounded >= (units[index - 1]?.[1] ?? Number.POSITIVE_INFINITY)) return duration(rounded);
  const whole = Math.floor(rounded / length);
  const rest = (rounded - whole * length) / step;
  return rest === 0 ? `${whole} ${unit}` : `${whole} ${unit} ${rest} ${smallerUnit}`;
}

/** A length of time as the API takes it. */
export function lengthText(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

/** `in 5 min`, `3 s ago`, `now`. */
export function relative(at: string | number, now: number): string {
  const ms = new Date(at).getTime() - now;
  if (Math.abs(ms) < 1000) return 'now';
  const text = duration(Math.trunc(ms / 1000) * 1000);
  return ms > 0 ? `in ${text}` : `${text} ago`;
}

/** With separators: `1,204`. */
export function number(value: number): string {
  return value.toLocaleString('en');
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${number(count)} ${count === 1 ? one : many}`;
}

/** JSON, indented. */
export function pretty(value: unknown): string {
  return JSON.stringify(value, null, 2) ?? 'undefined';
}
