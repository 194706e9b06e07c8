/**
 * Random cron expressions that know what they mean: each field is made together with a plain test of whether a date
 * matches it, so that the tests need no parser, least of all the one under test.
 */

import { pick } from './random.js';

const DAY_MS = 86_400_000;
const monthNames = [
  'JAN',
  'FEB',
  'MAR',
  'APR',
  'MAY',
  'JUN',
  'JUL',
  'AUG',
  'SEP',
  'OCT',
  'NOV',
  'DEC',
];
const dayNames = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

/** A field, or an entry of its list. The wall clock is read from a date's UTC fields. */
interface Field {
  readonly text: string;
  matches(wall: Date): boolean;
}

export interface Expression {
  readonly text: string;
  readonly second: Field;
  readonly minute: Field;
  readonly hour: Field;
  readonly dayOfMonth: Field;
  readonly month: Field;
  readonly dayOfWeek: Field;
}

/** Whether the wall clock shows one of an expression's times. */
export function matches(expression: Expression, wall: Date): boolean {
  const { second, minute, hour, dayOfMonth, month, dayOfWeek } = expression;
  if (!second.matches(wall) || !minute.matches(wall) || !hour.matches(wall)) return false;
  if (!month.matches(wall)) return false;
  const ofMonth = dayOfMonth.matches(wall);
  const ofWeek = dayOfWeek.matches(wall);
  const needsBoth = dayOfMonth.text.startsWith('*') || dayOfWeek.text.startsWith('*');
  return needsBoth ? ofMonth && ofWeek : ofMonth || ofWeek;
}

/** Whether a schedule follows real time across changes of the clocks. */
export function followsRealTime({ minute, hour }: Expression): boolean {
  return minute.text.startsWith('*') || hour.text.startsWith('*');
}

interface Choices {
  /** Hours to prefer, so that schedules fall into the night in which the clocks change. */
  readonly hours?: readonly number[];
  /** How often a second field is written. */
  readonly seconds?: number;
  /** Only forms that croner knows too. */
  readonly plain?: boolean;
}

export function randomExpression(random: () => number, choices: Choices = {}): Expression {
  const { hours = [], seconds = 0.25, plain = false } = choices;
  const hasSecond = random() < seconds;
  const second = hasSecond
    ? pick(random, [
        value(0, 'second'),
        value(30, 'second'),
        list([value(0, 'second'), value(45, 'second')]),
        steps('*', 0, 59, 20, 'second'),
        steps('10-50', 10, 50, 40, 'second'),
      ])
    : value(0, 'second');
  const minute = numberField(random, 'minute', 0, 59, []);
  const hour = numberField(random, 'hour', 0, 23, hours);
  const dayOfMonth = random() < 0.5 ? every() : dayOfMonthField(random, plain);
  const month = random() < 0.7 ? every() : monthField(random);
  const dayOfWeek = random() < 0.6 ? every() : dayOfWeekField(random);
  const fields = [minute, hour, dayOfMonth, month, dayOfWeek];
  return {
    text: (hasSecond ? [second, ...fields] : fields).map(({ text }) => text).join(' '),
    second,
    minute,
    hour,
    dayOfMonth,
    month,
    dayOfWeek,
  };
}

type Unit = 'second' | 'minute' | 'hour' | 'day' | 'month' | 'weekday';

const read: Record<Unit, (wall: Date) => number> = {
  second: (wall) => wall.getUTCSeconds(),
  minute: (wall) => wall.getUTCMinutes(),
  hour: (wall) => wall.getUTCHours(),
  day: (wall) => wall.getUTCDate(),
  month: (wall) => wall.getUTCMonth() + 1,
  weekday: (wall) => wall.getUTCDay(),
};

function every(): Field {
  return { text: '*', matches: () => true };
}

function value(n: number, unit: Unit, text = String(n)): Field {
  return { text, matches: (wall) => read[unit](wall) === (unit === 'weekday' ? n % 7 : n) };
}

function steps(range: string, from: number, to: number, step: number, unit: Unit): Field {
  const members = new Set<number>();
  for (let n = from; n <= to; n += step) members.add(unit === 'weekday' ? n % 7 : n);
  return {
    text: step === 1 && range !== '*' ? range : `${range}/${step}`,
    matches: (wall) => members.has(read[unit](wall)),
  };
}

function list(entries: readonly Field[]): Field {
  return {
    text: entries.map(({ text }) => text).join(','),
    matches: (wall) => entries.some((entry) => entry.matches(wall)),
  };
}

function between(random: () => number, min: number, max: number): number {
  return min + Math.floor(random() * (max - min + 1));
}

function range(random: () => number, unit: Unit, min: number, max: number): Field {
  const from = between(random, min, max);
  const to = between(random, from, max);
  const step = random() < 0.6 ? 1 : between(random, 1, Math.max(1, Math.ceil((to - from) / 2)));
  return steps(`${from}-${to}`, from, to, step, unit);
}

/** `*`, steps, ranges, values and lists of them, in proportions that people write. */
function numberField(
  random: () => number,
  unit: Unit,
  min: number,
  max: number,
  preferred: readonly number[],
): Field {
  const one = () =>
    value(
      preferred.length > 0 && random() < 0.8 ? pick(random, preferred) : between(random, min, max),
      unit,
    );
  const kind = random();
  if (kind < 0.12) return every();
  if (kind < 0.22)
    return steps('*', min, max, between(random, 1, Math.ceil((max - min) / 2)), unit);
  if (kind < 0.4) return range(random, unit, min, max);
  if (kind < 0.75) return one();
  return list([one(), random() < 0.7 ? one() : range(random, unit, min, max), one()]);
}

function dayOfMonthField(random: () => number, plain: boolean): Field {
  const kind = random();
  if (kind < 0.5) return numberField(random, 'day', 1, 31, []);
  if (kind < 0.6) return fromLast(0, 'L');
  if (kind < 0.7) return nearest((wall) => lastDay(wall), 'LW');
  if (kind < 0.8) {
    const n = between(random, 1, 30);
    return plain ? list([fromLast(0, 'L'), value(n, 'day')]) : fromLast(n, `L-${n}`);
  }
  const day = between(random, 1, 31);
  return nearest((wall) => (day <= lastDay(wall) ? day : undefined), `${day}W`);
}

function monthField(random: () => number): Field {
  const month = between(random, 1, 12);
  if (random() < 0.4) return value(month, 'month', inAnyCase(random, monthNames[month - 1] ?? ''));
  return numberField(random, 'month', 1, 12, []);
}

function dayOfWeekField(random: () => number): Field {
  const day = between(random, 0, 6);
  const name = random() < 0.6 ? inAnyCase(random, dayNames[day] ?? '') : String(day);
  const kind = random();
  if (kind < 0.2) return value(day, 'weekday', name);
  if (kind < 0.3) return steps(`${name}-SUN`, day, 7, 1, 'weekday');
  if (kind < 0.5) return numberField(random, 'weekday', 0, 6, []);
  if (kind < 0.6) return range(random, 'weekday', 1, 7);
  if (kind < 0.8) {
    const n = between(random, 1, 5);
    return nth(day, (wall) => Math.ceil(wall.getUTCDate() / 7) === n, `${name}#${n}`);
  }
  return nth(day, (wall) => wall.getUTCDate() + 7 > lastDay(wall), `${name}L`);
}

function nth(day: number, isMeant: (wall: Date) => boolean, text: string): Field {
  return { text, matches: (wall) => wall.getUTCDay() === day && isMeant(wall) };
}

function fromLast(n: number, text: string): Field {
  return { text, matches: (wall) => wall.getUTCDate() === lastDay(wall) - n };
}

/** The day from Monday to Friday that is nearest to a day, in its month: tries them in order of distance. */
function nearest(dayOf: (wall: Date) => number | undefined, text: string): Field {
  return {
    text,
    matches(wall) {
      const day = dayOf(wall);
      if (day === undefined) return false;
      const at = Date.UTC(wall.getUTCFullYear(), wall.getUTCMonth(), day);
      const found = [0, -1, 1, -2, 2]
        .map((distance) => new Date(at + distance * DAY_MS))
        .find(
          (date) => date.getUTCMonth() === wall.getUTCMonth() && ![0, 6].includes(date.getUTCDay()),
        );
      return found?.getUTCDate() === wall.getUTCDate();
    },
  };
}

function lastDay(wall: Date): number {
  return new Date(Date.UTC(wall.getUTCFullYear(), wall.getUTCMonth() + 1, 0)).getUTCDate();
}

function inAnyCase(random: () => number, name: string): string {
  return pick(random, [name, name.toLowerCase(), `${name[0]}${name.slice(1).toLowerCase()}`]);
}
