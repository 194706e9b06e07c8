/** Triggers in words, for people who do not read cron. */

import type { Json, TriggerJson } from '@sched/core';
import { cronMacros } from '@sched/core';

const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const months = [
  ...['January', 'February', 'March', 'April', 'May', 'June', 'July'],
  ...['August', 'September', 'October', 'November', 'December'],
];
const ordinals = ['', 'first', 'second', 'third', 'fourth', 'fifth'];

/**
 * Says in words what the stored form of a trigger means: `every day at 09:30, Europe/Berlin`. What has no short
 * wording, such as an intricate cron expression, is shown as it is written.
 */
export function triggerInWords(json: TriggerJson): string {
  try {
    return wordsOf(json);
  } catch {
    // A damaged record can hold anything.
    return `a trigger of the kind ${json.kind}`;
  }
}

function wordsOf(json: TriggerJson): string {
  const { kind } = json;
  if (kind === 'at') return `once, at ${moment(json.at)}`;
  if (kind === 'every') return [`every ${interval(json.every)}`, ...options(json)].join(', ');
  if (kind === 'cron') {
    const expression = String(json.expression);
    const zone = json.timeZone === undefined ? ['UTC'] : [];
    return [cronInWords(expression) ?? `cron ${expression}`, ...zone, ...options(json)].join(', ');
  }
  if (kind === 'anyOf') return `either ${parts(json).join('; or ')}`;
  if (kind === 'allOf') return `when these agree: ${parts(json).join('; and ')}`;
  if (kind === 'except') {
    const count = (json.exclusions as readonly Json[]).length;
    const inner = triggerInWords(json.trigger as TriggerJson);
    return `${inner}, with ${count} ${count === 1 ? 'exception' : 'exceptions'}`;
  }
  return `a trigger of the kind ${kind}`;
}

function parts({ triggers }: TriggerJson): string[] {
  return (triggers as readonly TriggerJson[]).map(triggerInWords);
}

function options({
  timeZone,
  start,
  end,
  limit,
  jitter,
  jitterMs = jitter,
}: TriggerJson): string[] {
  return [
    ...(timeZone === undefined ? [] : [String(timeZone)]),
    ...(start === undefined ? [] : [`from ${moment(start)}`]),
    ...(end === undefined ? [] : [`until ${moment(end)}`]),
    ...(limit === undefined ? [] : [`${limit} times`]),
    ...(jitterMs === undefined ? [] : [`up to ${amounts(Number(jitterMs))} later`]),
  ];
}

function moment(time: Json | undefined): string {
  return new Date(time as number).toISOString().replace(/(?::00)?\.000Z$/, 'Z');
}

/** What follows `every`: `minute`, `5 minutes`, `month and 2 days`. */
function interval(every: Json | undefined): string {
  if (typeof every === 'number') return amounts(every).replace(/^1 /, '');
  const given = every as {
    readonly months?: number;
    readonly days?: number;
    readonly milliseconds?: number;
  };
  const texts: string[] = [];
  const { months: all = 0, days: dayCount = 0, milliseconds = 0 } = given;
  if (all > 0) texts.push(all % 12 === 0 ? plural(all / 12, 'year') : plural(all, 'month'));
  if (dayCount > 0)
    texts.push(dayCount % 7 === 0 ? plural(dayCount / 7, 'week') : plural(dayCount, 'day'));
  if (milliseconds > 0) texts.push(amounts(milliseconds));
  return texts.join(' and ').replace(/^1 /, '');
}

/** An exact length of time. */
function amounts(milliseconds: number): string {
  let rest = milliseconds;
  const texts: string[] = [];
  for (const [unit, length] of [
    ['hour', 3_600_000],
    ['minute', 60_000],
    ['second', 1000],
    ['millisecond', 1],
  ] as const) {
    const count = Math.floor(rest / length);
    if (count > 0) texts.push(plural(count, unit));
    rest -= count * length;
  }
  return listed(texts);
}

function plural(count: number, unit: string): string {
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

function listed(texts: readonly string[]): string {
  return texts.length < 2 ? texts.join('') : `${texts.slice(0, -1).join(', ')} and ${texts.at(-1)}`;
}

/** The meaning of a cron expression, or undefined when it takes more than a few words. */
function cronInWords(expression: string): string | undefined {
  const text = expression.trim();
  const fields = (cronMacros[text.toLowerCase()] ?? text).split(/\s+/);
  const [second, minute, hour, day, month, weekday] =
    fields.length === 5 ? ['0', ...fields] : fields;
  if (!minute || !hour || !day || !month || !weekday || second !== '0') return undefined;
  const time = timeInWords(minute, hour);
  const date = dateInWords(day, weekday);
  const year = isAny(month) ? '' : names(month, months, 1);
  if (time === undefined || date === undefined || year === undefined) return undefined;
  const daily = date === '' && year === '' && time.startsWith('at ') ? 'every day' : date;
  return [daily, time, year && `in ${year}`].filter(Boolean).join(' ');
}

function timeInWords(minute: string, hour: string): string | undefined {
  const minutes = numbers(minute);
  const hours = numbers(hour);
  if (minutes && hours && minutes.length * hours.length <= 6) {
    const times = hours.flatMap((h) => minutes.map((m) => `${two(h)}:${two(m)}`));
    return `at ${listed(times)}`;
  }
  const step = stepOf(minute, 60);
  if (step !== undefined) {
    const often = step === 1 ? 'every minute' : `every ${step} minutes`;
    if (isAny(hour)) return often;
    const range = /^(\d+)-(\d+)$/.exec(hour);
    if (range) return `${often} from ${two(Number(range[1]))}:00 to ${two(Number(range[2]))}:59`;
    return undefined;
  }
  const every = stepOf(hour, 24);
  if (minutes?.length !== 1 || every === undefined) return undefined;
  const past = minutes[0] === 0 ? 'on the hour' : `at ${plural(minutes[0] ?? 0, 'minute')} past`;
  return every === 1 ? `every hour ${past}` : `every ${every} hours ${past}`;
}

function dateInWords(day: string, weekday: string): string | undefined {
  if (isAny(day) && isAny(weekday)) return '';
  if (isAny(weekday)) {
    if (day === 'L') return 'on the last day of the month';
    const list = numbers(day);
    return (
      list && `on ${list.length === 1 ? 'day' : 'days'} ${listed(list.map(String))} of the month`
    );
  }
  if (!isAny(day)) return undefined;
  const nth = /^(\w+)#([1-5])$/.exec(weekday);
  const last = /^(\w+)L$/i.exec(weekday);
  const [one] = [nth?.[1] ?? last?.[1]].map((name) => name && names(name, days, 0));
  if (one) return `on the ${nth ? ordinals[Number(nth[2])] : 'last'} ${one} of the month`;
  const list = names(weekday, days, 0);
  return list && `on ${list}`;
}

function isAny(field: string): boolean {
  return field === '*' || field === '?';
}

/** The step of a field that begins with a star, if it goes into the whole evenly. */
function stepOf(field: string, whole: number): number | undefined {
  if (field === '*') return 1;
  const step = Number(/^(?:\*|0)\/(\d+)$/.exec(field)?.[1]);
  return step > 0 && whole % step === 0 ? step : undefined;
}

function numbers(field: string): number[] | undefined {
  return /^\d+(?:,\d+)*$/.test(field) ? field.split(',').map(Number) : undefined;
}

/** Days or months: `Monday to Friday and Sunday`. */
function names(field: string, all: readonly string[], first: number): string | undefined {
  const name = (text: string | undefined): string | undefined => {
    if (text === undefined) return undefined;
    if (/^\d+$/.test(text)) return all[(Number(text) - first) % (first === 0 ? 7 : 99)];
    return all.find(
      (each) => text.length === 3 && each.toLowerCase().startsWith(text.toLowerCase()),
    );
  };
  const texts = field.split(',').map((part) => {
    const [from, to, ...rest] = part.split('-').map(name);
    if (rest.length > 0 || from === undefined) return undefined;
    return part.includes('-') ? to && `${from} to ${to}` : from;
  });
  return texts.every((text) => text !== undefined) ? listed(texts as string[]) : undefined;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
