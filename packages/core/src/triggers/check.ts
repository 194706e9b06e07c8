/** What the triggers check of their arguments and of their stored form. */

import { SchedError } from '../errors.js';
import { show } from '../show.js';
import type { Json, Trigger } from '../trigger.js';

/**
 * Refuses what is not an object, and members that this version does not know: a misspelt option, or one that a newer
 * version wrote, would otherwise change when a task runs without a word.
 */
export function checkKeys(value: unknown, known: readonly string[], what: string): void {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  const unknown = isObject ? Object.keys(value).find((key) => !known.includes(key)) : undefined;
  if (!isObject || unknown !== undefined) {
    const fault = isObject ? `has an unknown member ${show(unknown)}` : `is ${show(value)}`;
    throw invalidTrigger(`${what} ${fault}. It may have: ${known.join(', ')}.`);
  }
}

/**
 * Reads options: each one given, by the reader of its name. The result is their stored form, in the readers' order.
 *
 * @throws SchedError `SCHED_TRIGGER_INVALID` for an option without a reader, and what the readers throw
 */
export function readOptions<Readers extends Record<string, (value: never, what: string) => Json>>(
  what: string,
  options: { readonly [Name in keyof Readers]?: Parameters<Readers[Name]>[0] },
  readers: Readers,
): { readonly [Name in keyof Readers]?: ReturnType<Readers[Name]> } {
  checkKeys(options, Object.keys(readers), `The options object of ${what}`);
  const read: Record<string, Json> = {};
  for (const [name, reader] of Object.entries(readers)) {
    const value = options[name];
    if (value !== undefined) read[name] = reader(value as never, name);
  }
  return read as { [Name in keyof Readers]?: ReturnType<Readers[Name]> };
}

/** Whether a value fulfils the trigger contract, as far as that can be seen without calling it. */
export function isTrigger(value: unknown): value is Trigger {
  const trigger = value as Partial<Trigger> | null | undefined;
  return (
    typeof trigger?.kind === 'string' &&
    typeof trigger.type?.parse === 'function' &&
    typeof trigger.next === 'function' &&
    typeof trigger.previous === 'function' &&
    typeof trigger.toJSON === 'function'
  );
}

export function invalidTrigger(message: string, cause?: unknown): SchedError {
  return new SchedError('SCHED_TRIGGER_INVALID', message, cause === undefined ? {} : { cause });
}
