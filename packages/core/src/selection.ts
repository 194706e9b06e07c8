/** Which tasks a call is about. */

import { checkGroup, checkId, childIdBytes } from './check.js';
import type { TaskSelector } from './data-store.js';
import { SchedError } from './errors.js';

/** Some tasks: one id, several ids, all tasks of a group, or all tasks. */
export type Selection =
  | string
  | readonly string[]
  | { readonly group: string }
  | { readonly all: true };

/** @throws SchedError `SCHED_ID_INVALID` or `SCHED_ARGUMENT_INVALID` */
export function selectorOf(selection: Selection): TaskSelector {
  if (typeof selection === 'string' || Array.isArray(selection)) {
    const ids: readonly string[] = typeof selection === 'string' ? [selection] : selection;
    for (const id of ids) checkId(id, childIdBytes);
    return { ids };
  }
  const selector = selection as Exclude<TaskSelector, { readonly ids: unknown }>;
  if (typeof selector === 'object' && selector !== null && Object.keys(selector).length === 1) {
    if ('group' in selector) {
      checkGroup(selector.group);
      return { group: selector.group };
    }
    if ('all' in selector && selector.all === true) return { all: true };
  }
  throw new SchedError(
    'SCHED_ARGUMENT_INVALID',
    'Which tasks? Give an id, an array of ids, { group: … } or { all: true }.',
  );
}
