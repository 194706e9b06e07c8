/**
 * Reads cron expressions. Turns text into sets of values, or throws an error that says which field is wrong, at which
 * column, and what to write instead.
 *
 * The language is that of Vixie's cron (crontab(5)), plus common extensions: seconds as the first of six fields, `?`,
 * `L`, `W` and `#`. Refuses forms that other implementations read in different ways (`5/15`, `FRI-MON`).
 */

import { SchedError, type SchedErrorCode } from '../errors.js';
import { show } from '../show.js';

/** A set of numbers from 0 to 63: bit `n` of the first number is `n`, and bit `n` of the second is `32 + n`. */
export type NumberSet = [low: number, high: number];

/** The values that an expression names. */
export interface CronFields {
  readonly seconds: NumberSet;
  readonly minutes: NumberSet;
  readonly hours: NumberSet;
  /** 1 is January. */
  readonly months: NumberSet;
  /** Days of the month. The first is 1. */
  readonly days: NumberSet;
  /** Days of the month, counted back from the last, which is 0. */
  readonly daysFromLast: NumberSet;
  /** Like `days` and `daysFromLast`, but each means the day from Monday to Friday that is nearest to it. */
  readonly weekdays: NumberSet;
  readonly weekdaysFromLast: NumberSet;
  /** For each day of the week, from Sunday on: which of its occurrences in a month, 1 to 5 and {@link LAST}. */
  readonly daysOfWeek: readonly NumberSet[];
  /**
   * Whether a day must match both day fields, because one of them begins with `*` or is `?`. If both are restricted,
   * matching either is enough: Vixie's rule.
   */
  needsBothDayFields: boolean;
  /** Whether the minute or hour field begins with `*`: such a schedule ignores changes of the clocks. */
  followsRealTime: boolean;
}

/** In {@link CronFields.daysOfWeek}: the last occurrence in a month. */
export const LAST = 6;

/** A field of an expression, and what it may contain. */
interface FieldSpec {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** The names of the values, from `min` on. */
  readonly names?: readonly string[];
  readonly advice: string;
  /** What to set when the field begins with `*`. */
  readonly star?: 'needsBothDayFields' | 'followsRealTime';
  /** Reads one entry of the field's list. */
  read(entry: Piece, fields: CronFields): void;
}

/** A part of an expression, and its position. */
interface Piece {
  readonly expression: string;
  readonly spec: FieldSpec;
  readonly text: string;
  /** Counted from 1. */
  readonly column: number;
}

const fieldSpecs: readonly FieldSpec[] = [
  {
    name: 'second',
    min: 0,
    max: 59,
    advice: '0 to 59',
    read: (entry, fields) => addRange(entry, fields.seconds),
  },
  {
    name: 'minute',
    min: 0,
    max: 59,
    advice: '0 to 59',
    star: 'followsRealTime',
    read: (entry, fields) => addRange(entry, fields.minutes),
  },
  {
    name: 'hour',
    min: 0,
    max: 23,
    advice: '0 to 23',
    star: 'followsRealTime',
    read: (entry, fields) => addRange(entry, fields.hours),
  },
  {
    name: 'day of month',
    min: 1,
    max: 31,
    advice: '1 to 31, 15W, L, L-3 or LW',
    star: 'needsBothDayFields',
    read: readDayOfMonth,
  },
  {
    name: 'month',
    min: 1,
    max: 12,
    names: ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'],
    advice: '1 to 12 or JAN to DEC',
    read: (entry, fields) => addRange(entry, fields.months),
  },
  {
    name: 'day of week',
    min: 0,
    max: 7,
    names: ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'],
    advice: '0 to 7, SUN to SAT, FRI#2 or FRIL',
    star: 'needsBothDayFields',
    read: readDayOfWeek,
  },
];

/** The names that stand for whole cron expressions, with what they stand for. */
export const cronMacros: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/**
 * Reads a cron expression.
 *
 * @throws SchedError `SCHED_CRON_SYNTAX`, `SCHED_CRON_RANGE` or `SCHED_CRON_UNSUPPORTED`, with `details`
 *   `{expression, field, column}`: `field` is a name such as `'day of month'`, or `'expression'` if no single field is
 *   wrong; `column` counts from 1
 */
export function parseCron(expression: string): CronFields {
  const fields: CronFields = {
    seconds: [0, 0],
    minutes: [0, 0],
    hours: [0, 0],
    months: [0, 0],
    days: [0, 0],
    daysFromLast: [0, 0],
    weekdays: [0, 0],
    weekdaysFromLast: [0, 0],
    daysOfWeek: Array.from({ length: 7 }, () => [0, 0]),
    needsBothDayFields: false,
    followsRealTime: false,
  };
  for (const field of splitFields(expression)) {
    const { star } = field.spec;
    if (star && field.text.startsWith('*')) fields[star] = true;
    for (const entry of split(field, ',')) field.spec.read(entry, fields);
  }
  return fields;
}

/** Splits an expression into six fields. Adds the second if there are only five. */
function splitFields(expression: string): Piece[] {
  const text = typeof expression === 'string' ? expression.trimEnd() : '';
  const whole = { expression, spec: { name: 'expression' } };
  const macro = text.trimStart().toLowerCase();
  if (macro.startsWith('@')) {
    const expanded = cronMacros[macro];
    if (expanded !== undefined) return splitFields(expanded);
    const interval = /^@every\s*(.*)/.exec(macro)?.[1];
    throw refuse(
      { ...whole, column: text.indexOf('@') + 1 },
      /^@(?:reboot|every)\b/.test(macro) ? 'SCHED_CRON_UNSUPPORTED' : 'SCHED_CRON_SYNTAX',
      'there is no such name for a schedule',
      interval === undefined
        ? `${Object.keys(cronMacros).join(', ')}, or five fields`
        : `every: ${show(interval || '5m')} in place of cron`,
    );
  }
  const [prefix, name, zone = '', rest] = /^\s*((?:cron_)?tz)=(\S*)\s*(.*)/i.exec(text) ?? [];
  if (prefix !== undefined) {
    throw refuse(
      { ...whole, column: prefix.search(/\S/) + 1 },
      'SCHED_CRON_UNSUPPORTED',
      `${name} does not belong to the expression`,
      `cron: ${show(rest)}, timeZone: ${show(zone)}`,
    );
  }
  const words = [...text.matchAll(/\S+/g)];
  const skipped = fieldSpecs.length - words.length;
  if (skipped !== 0 && skipped !== 1) {
    throw refuse(
      { ...whole, column: (words[6]?.index ?? text.length) + 1 },
      'SCHED_CRON_SYNTAX',
      `it has ${words.length} fields`,
      'five: minute, hour, day of month, month, day of week; or six, with the second first ' +
        '(there is none for the year: use start and end)',
    );
  }
  return fieldSpecs.map((spec, i) => {
    const word = words[i - skipped];
    const field = word?.[0] ?? '0';
    const isAny = field === '?' && spec.star === 'needsBothDayFields';
    return { expression, spec, text: isAny ? '*' : field, column: (word?.index ?? 0) + 1 };
  });
}

/** Reads `15`, `15W`, `L` (the last day), `L-3` (three days before it), `LW`, `L-3W`, ranges and steps. */
function readDayOfMonth(entry: Piece, fields: CronFields): void {
  const [, day, last, back, nearest] = /^(?:(\d+)|(L)(?:-(\d+))?)(W)?$/i.exec(entry.text) ?? [];
  if (last) {
    const distance = back ? readNumber(part(entry, back, 2), 1, 30) : 0;
    add(nearest ? fields.weekdaysFromLast : fields.daysFromLast, distance);
  } else if (day && nearest) {
    add(fields.weekdays, readValue(part(entry, day)));
  } else {
    addRange(entry, fields.days);
  }
}

/** Reads `FRI`, `5`, `FRI#2` (the second in the month), `FRIL` (the last in the month), ranges and steps. */
function readDayOfWeek(entry: Piece, fields: CronFields): void {
  const [, name, nth, last] = /^(\d+|[A-Z]{3})(?:#(.*)|(L))$/i.exec(entry.text) ?? [];
  const daysOfWeek: NumberSet = [0, 0];
  let occurrences = [1, 2, 3, 4, 5];
  if (name) {
    add(daysOfWeek, readValue(part(entry, name)));
    if (nth?.toUpperCase() === 'L') {
      throw refuse(
        part(entry, nth, name.length + 1),
        'SCHED_CRON_SYNTAX',
        `${show(nth)} is not a whole number`,
        `1 to 5, or ${name}L for the last in the month`,
      );
    }
    occurrences = [last ? LAST : readNumber(part(entry, nth ?? '', name.length + 1), 1, 5)];
  } else {
    addRange(entry, daysOfWeek);
  }
  fields.daysOfWeek.forEach((set, day) => {
    const isMeant = has(daysOfWeek, day) || (day === 0 && has(daysOfWeek, 7));
    if (isMeant) for (const n of occurrences) add(set, n);
  });
}

/** Reads `*`, `5`, `5-10`, and with steps `*` + `/15` and `5-59/15`. */
function addRange(entry: Piece, set: NumberSet): void {
  const { spec } = entry;
  const [range = entry, step, surplus] = split(entry, '/');
  if (surplus) {
    throw refuse(surplus, 'SCHED_CRON_SYNTAX', 'there is a second step', 'one step');
  }
  const isAll = range.text === '*';
  const [first = range, last = first, third] = isAll ? [] : split(range, '-');
  if (third) {
    throw refuse(third, 'SCHED_CRON_SYNTAX', 'the range has a third end', 'it as 1-5');
  }
  const from = isAll ? spec.min : readValue(first);
  let to = isAll ? spec.max : readValue(last);
  // Only Sunday's name means 0, and SAT-SUN ends on the following Sunday.
  if (to === 0 && last !== first && /\D/.test(last.text)) to = spec.max;
  if (from > to) {
    throw refuse(
      range,
      'SCHED_CRON_RANGE',
      `the range ${show(range.text)} runs backwards`,
      `${first.text}-${spec.max},${spec.min}-${last.text}`,
    );
  }
  if (step && !isAll && last === first) {
    throw refuse(
      step,
      'SCHED_CRON_UNSUPPORTED',
      'a step needs a range',
      `${first.text}-${spec.max}/${step.text}`,
    );
  }
  const by = step ? readNumber(step, 1, spec.names?.length ?? spec.max - spec.min + 1) : 1;
  for (let n = from; n <= to; n += by) add(set, n);
}

/** Reads a number or name of the field. */
function readValue(piece: Piece): number {
  const { spec, text } = piece;
  const index = spec.names?.indexOf(text.toUpperCase()) ?? -1;
  if (index >= 0) return spec.min + index;
  if (/^\d+$/.test(text)) return readNumber(piece, spec.min, spec.max);
  const isForm = /[#?~]|\d[LW]$|^(?:LW?|W|H|[A-Z]{3}L)$/i.test(text);
  throw refuse(
    piece,
    isForm ? 'SCHED_CRON_UNSUPPORTED' : 'SCHED_CRON_SYNTAX',
    text === '' ? 'a value is missing' : `${show(text)} cannot stand here`,
    `*, or ${spec.advice}`,
  );
}

function readNumber(piece: Piece, min: number, max: number): number {
  const { text } = piece;
  const isNumber = /^\d+$/.test(text);
  const value = Number(text);
  if (isNumber && value >= min && value <= max) return value;
  throw refuse(
    piece,
    isNumber ? 'SCHED_CRON_RANGE' : 'SCHED_CRON_SYNTAX',
    text === ''
      ? 'a number is missing'
      : `${show(text)} is ${isNumber ? 'out of range' : 'not a whole number'}`,
    `${min} to ${max}`,
  );
}

function split(piece: Piece, separator: string): Piece[] {
  let offset = 0;
  return piece.text.split(separator).map((text) => {
    const result = part(piece, text, offset);
    offset += text.length + 1;
    return result;
  });
}

function part(piece: Piece, text: string, offset = 0): Piece {
  return { ...piece, text, column: piece.column + offset };
}

/** Whether a set holds a number from 0 to 63. */
export function has(set: NumberSet, n: number): boolean {
  return ((n < 32 ? set[0] : set[1]) & (1 << n)) !== 0;
}

function add(set: NumberSet, n: number): void {
  set[n < 32 ? 0 : 1] |= 1 << n;
}

function refuse(
  { expression, spec, column }: Pick<Piece, 'expression' | 'column'> & { spec: { name: string } },
  code: SchedErrorCode,
  fault: string,
  advice: string,
): SchedError {
  const field = spec.name;
  return new SchedError(
    code,
    `Cron ${show(expression)}, ${field}, column ${column}: ${fault}. Write ${advice}.`,
    { details: { expression, field, column } },
  );
}
