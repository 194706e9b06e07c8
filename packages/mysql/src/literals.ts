import { SchedError } from '@sched/core';

/**
 * Values as parts of a statement, which mean the same in every `sql_mode` and character set: a text is put between
 * quotes only where there is nothing in it that a mode gives another meaning, or written as its bytes.
 */
export function text(value: string): string {
  return /^$|[\\\0]/.test(value)
    ? `_utf8mb4 x'${Buffer.from(value).toString('hex')}'`
    : `'${value.includes("'") ? value.replaceAll("'", "''") : value}'`;
}

/** At most how many bytes {@link text} takes. */
export function sizeOfText(value: string): number {
  if (value.length < 200) return 16 + value.length * 6;
  return 16 + Buffer.byteLength(value) * (/['\\\0]/.test(value) ? 2 : 1);
}

/**
 * A text for a column that holds so many characters. Outside of strict modes the server would cut a longer one.
 *
 * @throws SchedError `SCHED_ARGUMENT_INVALID`
 */
export function textUpTo(most: number, value: string): string {
  if (typeof value === 'string' && value.length <= most) return text(value);
  throw unstorable(typeof value === 'string' ? `has more than ${most} characters` : 'is no text');
}

/** @throws SchedError `SCHED_ARGUMENT_INVALID` for what the server would keep as another number */
export function whole(value: number | null): string {
  if (value === null) return 'NULL';
  if (Number.isSafeInteger(value)) return String(value);
  throw unstorable(`is no whole number, or too large: ${value}`);
}

/** @throws SchedError `SCHED_ARGUMENT_INVALID` for what there is not, which the server might keep as something else */
export function oneOf(known: readonly string[], value: string): string {
  if (known.includes(value)) return `'${value}'`;
  throw unstorable(`is none of ${known.join(', ')}: ${value}`);
}

export const texts = (values: readonly string[]) => values.map(text).join();

function unstorable(problem: string): SchedError {
  return new SchedError('SCHED_ARGUMENT_INVALID', `A value cannot be stored: it ${problem}.`);
}
