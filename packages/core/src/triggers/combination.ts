/** What the combinations have in common: the direction of a search, its bound, and lists of triggers. */

import { checkMembers } from '../check.js';
import { show } from '../show.js';
import type { Trigger, TriggerContext, TriggerJson, TriggerKind } from '../trigger.js';
import { invalidTrigger, isTrigger } from './check.js';

/**
 * How many moments one call of `next` or `previous` may consider, all nested combinations together: more seconds than
 * a day has. Two dense triggers that never agree would otherwise be compared up to the year 9999.
 */
const MAX_CONSIDERED = 100_000;

let considered = 0;
let depth = 0;

/** One call of `next` (forward) or `previous`, on a combination or a part of it. */
export interface Search {
  readonly from: number;
  readonly forward: boolean;
  readonly context: TriggerContext;
}

/** The first occurrence of a trigger strictly beyond `from`, in the direction of the search. */
export function find(trigger: Trigger, from: number, { forward, context }: Search): number | null {
  return forward ? trigger.next(from, context) : trigger.previous(from, context);
}

/**
 * Calls `consider` until it gives an occurrence, or `null` because there is none; it gives `undefined` to go on. Gives
 * up with `null` after {@link MAX_CONSIDERED} calls, counted across the searches that run inside each other.
 */
export function search(consider: () => number | null | undefined): number | null {
  depth++;
  try {
    while (considered++ < MAX_CONSIDERED) {
      const found = consider();
      if (found !== undefined) return found;
    }
    return null;
  } finally {
    if (--depth === 0) considered = 0;
  }
}

/** A combination of any number of triggers: the function that makes it, and the kind that reads it back. */
export interface CombinationKind extends TriggerKind {
  /** @throws SchedError `SCHED_TRIGGER_INVALID` without arguments, or when one is not a trigger */
  (...triggers: readonly Trigger[]): Trigger;
}

/** The kind of combination that finds its occurrences by `findIn`. */
export function combinationKind(
  kind: string,
  findIn: (parts: readonly Trigger[], search: Search) => number | null,
): CombinationKind {
  function create(...parts: readonly Trigger[]): Trigger {
    if (parts.length === 0) throw invalidTrigger(`${kind} needs one trigger or more.`);
    for (const [i, part] of parts.entries()) checkTrigger(part, `Argument ${i + 1} of ${kind}`);
    return {
      kind,
      type,
      parts,
      jitterMs: Math.max(...parts.map((part) => part.jitterMs ?? 0)),
      next: (from, context) => findIn(parts, { from, forward: true, context }),
      previous: (from, context) => findIn(parts, { from, forward: false, context }),
      toJSON: () => ({ kind, triggers: parts.map((part) => part.toJSON()) }),
    };
  }
  const type = Object.assign(create, {
    kind,
    parse(json: TriggerJson, parse: (json: TriggerJson) => Trigger): Trigger {
      checkMembers(
        `The stored form of ${kind}`,
        json,
        ['kind', 'triggers'],
        'SCHED_TRIGGER_INVALID',
      );
      const { triggers } = json;
      if (!Array.isArray(triggers)) {
        throw invalidTrigger(`The triggers of ${kind} are ${show(triggers)}. They must be a list.`);
      }
      return create(...triggers.map((json: TriggerJson) => parse(json)));
    },
  });
  return type;
}

export function checkTrigger(value: unknown, what: string): void {
  if (!isTrigger(value)) {
    throw invalidTrigger(
      `${what} is ${show(value)}, which is not a trigger. Pass what a function such as every() gives.`,
    );
  }
}
