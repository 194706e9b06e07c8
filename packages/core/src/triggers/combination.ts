/** What all combinations share: the direction of a search, its limit, and lists of triggers. */

import { checkMembers } from '../check.js';
import { show } from '../show.js';
import type { Trigger, TriggerContext, TriggerJson, TriggerKind } from '../trigger.js';
import { invalidTrigger, isTrigger } from './check.js';

/**
 * How many moments one call of `next` or `previous` may consider, in all nested combinations together: more than a day
 * has seconds. Without a limit, a search would compare two dense triggers that never agree up to the year 9999.
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
 * Calls `consider` until it returns an occurrence, or `null` because there is none. `undefined` means: go on. Gives up
 * with `null` after {@link MAX_CONSIDERED} calls. Nested searches count together.
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

/** A function that combines any number of triggers. It is also the kind that reads the combination back. */
export interface CombinationKind extends TriggerKind {
  /** @throws SchedError `SCHED_TRIGGER_INVALID` when there are no arguments, or one is not a trigger */
  (...triggers: readonly Trigger[]): Trigger;
}

/** Makes the kind of combination that finds its occurrences with `findIn`. */
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
