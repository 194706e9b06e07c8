/** The kinds of trigger that a scheduler knows. It needs them to read triggers back from the store. */

import { isSchedError, SchedError } from './errors.js';
import { show } from './show.js';
import type { Trigger, TriggerJson, TriggerKind } from './trigger.js';
import { invalidTrigger, isTrigger } from './triggers/check.js';

export interface TriggerRegistry {
  /**
   * Adds a kind. Adding it again changes nothing.
   *
   * @throws SchedError `SCHED_ARGUMENT_INVALID` when it is not a kind, or another kind with that name exists
   */
  register(kind: TriggerKind): void;
  /**
   * Adds the kinds of a trigger and of its parts, so that this scheduler can read what it schedules.
   *
   * @throws SchedError as {@link register}, and `SCHED_TRIGGER_INVALID` when triggers are nested too deep to be read
   */
  registerFrom(trigger: Trigger): void;
  /**
   * Reads a trigger back from its stored form.
   *
   * @throws SchedError `SCHED_TRIGGER_UNKNOWN` when a kind in it has not been added; `SCHED_TRIGGER_INVALID`, or the
   *   kind's own code, when the JSON does not describe a trigger. Nothing else, whatever the JSON is.
   */
  parse(json: TriggerJson): Trigger;
}

/** How deep triggers may be nested: far deeper than anyone needs, but not deep enough to overflow the stack. */
const MAX_DEPTH = 32;

/** @throws SchedError `SCHED_ARGUMENT_INVALID`, as {@link TriggerRegistry.register} */
export function createTriggerRegistry(kinds: readonly TriggerKind[]): TriggerRegistry {
  const known = new Map<string, TriggerKind>();

  function register(type: TriggerKind): void {
    if (typeof type?.kind !== 'string' || type.kind === '' || typeof type.parse !== 'function') {
      throw new SchedError(
        'SCHED_ARGUMENT_INVALID',
        `${show(type)} is not a kind of trigger. Pass the function that makes the trigger, such as every, or an ` +
          'object with `kind` and `parse`.',
      );
    }
    const present = known.get(type.kind);
    if (present && present.parse !== type.parse) {
      throw new SchedError(
        'SCHED_ARGUMENT_INVALID',
        `Two different kinds of trigger are called ${show(type.kind)}. Give yours a prefix of its own, such as ` +
          "'acme/tide'; or, if both come from @sched/core, install a single copy of it.",
        { details: { kind: type.kind } },
      );
    }
    if (!present) known.set(type.kind, type);
  }

  function registerFrom(trigger: Trigger, depth = 1): void {
    checkDepth(depth);
    register(trigger.type);
    for (const part of trigger.parts ?? []) registerFrom(part, depth + 1);
  }

  function parse(json: TriggerJson, depth = 1): Trigger {
    checkDepth(depth);
    if (typeof json?.kind !== 'string') {
      throw invalidTrigger(`${show(json)} is not the stored form of a trigger.`);
    }
    const type = known.get(json.kind);
    if (!type) {
      throw new SchedError(
        'SCHED_TRIGGER_UNKNOWN',
        `The kind of trigger ${show(json.kind)} is not registered with this scheduler. Import it and pass it: ` +
          `createScheduler({ triggers: [${/^\w+$/.test(json.kind) ? json.kind : 'theKind'}] }).`,
        { details: { kind: json.kind } },
      );
    }
    let trigger: Trigger;
    try {
      trigger = type.parse(json, (part) => parse(part, depth + 1));
    } catch (error) {
      if (isSchedError(error)) throw error;
      throw invalidTrigger(
        `A trigger of kind ${show(json.kind)} cannot be read: ${error instanceof Error ? error.message : show(error)}`,
        error,
      );
    }
    if (!isTrigger(trigger)) {
      throw invalidTrigger(
        `The kind of trigger ${show(json.kind)} gave ${show(trigger)}, which is not a trigger.`,
      );
    }
    return trigger;
  }

  for (const kind of kinds) register(kind);
  return {
    register,
    registerFrom: (trigger) => registerFrom(trigger),
    parse: (json) => parse(json),
  };
}

function checkDepth(depth: number): void {
  if (depth > MAX_DEPTH) throw invalidTrigger(`Triggers are nested more than ${MAX_DEPTH} deep.`);
}

/** Whether two values are the same JSON, ignoring the order of members. */
export function sameJson(a: object, b: object): boolean {
  return canonical(a) === canonical(b);
}

function canonical(json: object): string {
  return JSON.stringify(json, (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}
