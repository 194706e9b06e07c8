/** Checks of the objects, names and numbers that users give to core and the adapters. */

import { SchedError, type SchedErrorCode } from './errors.js';
import { show } from './show.js';

/** The error for an option of the wrong form. */
export function invalid(what: string, value: unknown, wanted: string): SchedError {
  return new SchedError('SCHED_ARGUMENT_INVALID', `${what} must be ${wanted}, not ${show(value)}.`);
}

/**
 * Checks that a value is an object and has only known members. Otherwise a misspelt option would be ignored silently.
 *
 * @param what the name of the object in the message, such as `The options of schedule`
 * @param code the code of the error to throw. Default `SCHED_ARGUMENT_INVALID`
 * @returns the value
 * @throws SchedError with that code. For an unknown member, it suggests the known one with the most similar spelling
 */
export function checkMembers<T>(
  what: string,
  value: T,
  known: readonly string[],
  code: SchedErrorCode = 'SCHED_ARGUMENT_INVALID',
): T {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const kind = value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value;
    // The value itself is not shown: it may be the URL of a database, with a password.
    throw new SchedError(code, `${what} must be an object, not ${kind}.`);
  }
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue;
    const near = nearest(name, known);
    const advice = near ? `Did you mean ${near}?` : `It may have: ${known.join(', ')}.`;
    throw new SchedError(code, `${what} must not have a member ${show(name)}. ${advice}`, {
      details: { member: name },
    });
  }
  return value;
}

/** The choice with the spelling most similar to a name. At most a third of the letters may differ. */
function nearest(name: string, choices: readonly string[]): string | undefined {
  let best: string | undefined;
  let fewest = Math.ceil(name.length / 3) + 1;
  for (const choice of choices) {
    const count = differences(name.toLowerCase(), choice.toLowerCase());
    if (count < fewest) [best, fewest] = [choice, count];
  }
  return best;
}

/** The Levenshtein distance: how many letters to add, remove or replace to turn one text into the other. */
function differences(a: string, b: string): number {
  let row = Array.from(b, (_, index) => index + 1);
  for (let i = 0; i < a.length; i++) {
    let [diagonal, left] = [i, i + 1];
    row = row.map((above, j) => {
      left = Math.min(above + 1, left + 1, diagonal + (a[i] === b[j] ? 0 : 1));
      diagonal = above;
      return left;
    });
  }
  return row.at(-1) ?? a.length;
}

/** @throws SchedError `SCHED_ARGUMENT_INVALID` when the value is none of the choices */
export function oneOf<T>(what: string, value: T, choices: readonly T[]): T {
  if (choices.includes(value)) return value;
  throw invalid(
    what,
    value,
    `one of ${choices.map((choice) => JSON.stringify(choice)).join(', ')}`,
  );
}

/** @throws SchedError `SCHED_ARGUMENT_INVALID` when the value is not a whole number from `minimum` to `maximum` */
export function wholeNumber(
  what: string,
  value: number,
  minimum: number,
  maximum = Number.MAX_SAFE_INTEGER,
): number {
  if (Number.isSafeInteger(value) && value >= minimum && value <= maximum) return value;
  const range =
    maximum < Number.MAX_SAFE_INTEGER ? `from ${minimum} to ${maximum}` : `of at least ${minimum}`;
  throw invalid(what, value, `a whole number ${range}`);
}

/**
 * Checks the name of a task, queue or group.
 *
 * @throws SchedError `SCHED_ARGUMENT_INVALID`
 */
export function checkLabel(what: string, value: string): void {
  const problem = labelProblem(value);
  if (problem) throw new SchedError('SCHED_ARGUMENT_INVALID', `${what} ${problem}.`);
}

/** @throws SchedError `SCHED_ARGUMENT_INVALID` also for groups that begin with `sched:`, which are not of tasks */
export function checkGroup(group: string): void {
  checkLabel('group', group);
  if (group.startsWith('sched:')) throw invalid('group', group, 'a name without sched: before it');
}

/** The longest id of a task that runs an occurrence of another. It is made from the other's id, so it is longer. */
export const childIdBytes = 300;

/**
 * Checks the id of a task.
 *
 * @throws SchedError `SCHED_ID_INVALID`
 */
export function checkId(id: string, maxBytes?: number): void {
  const problem = labelProblem(id, maxBytes);
  if (problem) throw new SchedError('SCHED_ID_INVALID', `The id of a task ${problem}.`);
}

const encoder = /* @__PURE__ */ new TextEncoder();
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const controlCharacters = /[\u0000-\u001f\u007f-\u009f]/;

function labelProblem(value: string, maxBytes = 255): string | undefined {
  if (typeof value !== 'string') return `must be text, not ${show(value)}`;
  if (value === '') return 'must not be empty';
  if (!value.isWellFormed()) return `${show(value)} holds half of a surrogate pair`;
  if (controlCharacters.test(value)) return `${show(value)} must not hold control characters`;
  const bytes = value.length > 85 ? encoder.encode(value).length : 0;
  if (bytes > maxBytes) {
    return `must be at most ${maxBytes} bytes of UTF-8, not ${bytes}: ${show(value)}`;
  }
  return undefined;
}
