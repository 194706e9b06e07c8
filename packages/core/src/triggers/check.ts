/** Checks of the arguments and stored forms of triggers. */

import { checkMembers } from '../check.js';
import { SchedError } from '../errors.js';
import type { Json, Trigger } from '../trigger.js';

/**
 * Reads each given option with the reader of the same name. Returns their stored form, in the order of the readers.
 *
 * @throws SchedError `SCHED_TRIGGER_INVALID` for an option without a reader, and what the readers throw
 */
export function readOptions<Readers extends Record<string, (value: never, what: string) => Json>>(
  what: string,
  options: { readonly [Name in keyof Readers]?: Parameters<Readers[Name]>[0] },
  readers: Readers,
): { readonly [Name in keyof Readers]?: ReturnType<Readers[Name]> } {
  checkMembers(`The options of ${what}`, options, Object.keys(readers), 'SCHED_TRIGGER_INVALID');
  const read: Record<string, Json> = {};
  for (const [name, reader] of Object.entries(readers)) {
    const value = options[name];
    if (value !== undefined) read[name] = reader(value as never, name);
  }
  return read as { [Name in keyof Readers]?: ReturnType<Readers[Name]> };
}

/** Whether a value fulfils the trigger contract, as far as this shows without calling it. */
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
