import { checkMembers } from '../check.js';
import { DAY_MS, parseTime, type Time } from '../duration.js';
import { show } from '../show.js';
import { timeZone } from '../time-zone.js';
import type { Json, Trigger, TriggerJson, TriggerKind } from '../trigger.js';
import { invalidTrigger, isTrigger, readOptions } from './check.js';
import { checkTrigger, find, type Search, search } from './combination.js';

/** A range of time that {@link except} leaves out, from `from` up to but not including `to`. */
export interface ExcludedRange {
  readonly from: Time;
  readonly to: Time;
}

/**
 * What {@link except} leaves out: a moment, a range of time, a whole local day as `'YYYY-MM-DD'`, or each moment that
 * another trigger names.
 */
export type Exclusion = Time | ExcludedRange | Trigger;

export interface ExceptOptions {
  /** The IANA time zone of the excluded days. `'UTC'` by default. */
  readonly timeZone?: string;
}

/** The type of {@link except}, which is both the function that makes the trigger and the kind that reads it back. */
export interface ExceptKind extends TriggerKind {
  /**
   * @throws SchedError `SCHED_TRIGGER_INVALID` when the first argument is not a trigger, or the second not a list of
   *   exclusions; `SCHED_TIME_INVALID`, `SCHED_TIME_ZONE_UNKNOWN`
   */
  (trigger: Trigger, exclusions: readonly Exclusion[], options?: ExceptOptions): Trigger;
  readonly kind: 'except';
}

/**
 * The moments that a trigger names, without the excluded ones:
 * `except(cron('0 9 * * *', { timeZone }), ['2026-12-25', { from, to }], { timeZone })`.
 *
 * Skips excluded days and ranges in one step. A search gives up, as if no occurrence were left, after 100,000 moments
 * in a row that other triggers exclude one by one. Nested combinations share this number. The jitter is that of the
 * trigger; the jitter of exclusions has no effect.
 */
export const except: ExceptKind = /* @__PURE__ */ Object.assign(createExcept, {
  kind: 'except' as const,
  parse: parseExcept,
});

/** A calendar day as text. Other text without an offset is not a day, and {@link parseTime} refuses it. */
const dayText = /^\d{4}-\d\d-\d\d$/;

function createExcept(
  trigger: Trigger,
  exclusions: readonly Exclusion[],
  options: ExceptOptions = {},
): Trigger {
  checkTrigger(trigger, 'Argument 1 of except');
  const given = readOptions('except', options, {
    timeZone: (name: string) => timeZone(name).name,
  });
  if (!Array.isArray(exclusions)) {
    throw invalidTrigger(`The exclusions of except are ${show(exclusions)}. They must be a list.`);
  }
  const zone = timeZone(given.timeZone ?? 'UTC');
  const triggers: Trigger[] = [];
  const ranges: { readonly from: number; readonly to: number }[] = [];
  const days = new Set<number>();
  const stored = Array.from(exclusions, (exclusion: Exclusion, i): Json | Trigger => {
    const what = `exclusions[${i}]`;
    if (isTrigger(exclusion)) {
      triggers.push(exclusion);
      return exclusion;
    }
    if (typeof exclusion === 'string' && dayText.test(exclusion)) {
      days.add(parseTime(`${exclusion}T00:00:00Z`, what));
      return exclusion;
    }
    if (typeof exclusion !== 'object' || exclusion instanceof Date) {
      const moment = parseTime(exclusion, what);
      ranges.push({ from: moment, to: moment + 1 });
      return moment;
    }
    checkMembers(what, exclusion, ['from', 'to'], 'SCHED_TRIGGER_INVALID');
    const from = parseTime(exclusion.from, `${what}.from`);
    const to = parseTime(exclusion.to, `${what}.to`);
    if (from >= to) throw invalidTrigger(`${what} has a \`to\` that is not after its \`from\`.`);
    ranges.push({ from, to });
    return { from, to };
  });

  /** The last moment, in the direction of the search, of the excluded range that holds `at`; `null` if none does. */
  function excludedUpTo(at: number, { forward, context }: Search): number | null {
    for (const { from, to } of ranges) if (at >= from && at < to) return forward ? to - 1 : from;
    if (days.size > 0) {
      const { start, end, offset } = zone.spanAt(at);
      const day = Math.floor((at + offset) / DAY_MS) * DAY_MS;
      if (days.has(day)) {
        return forward ? Math.min(end, day + DAY_MS - offset) - 1 : Math.max(start, day - offset);
      }
    }
    return triggers.some((trigger) => trigger.next(at - 1, context) === at) ? at : null;
  }

  function findOther(direction: Search): number | null {
    let { from } = direction;
    return search(() => {
      const at = find(trigger, from, direction);
      const last = at === null ? null : excludedUpTo(at, direction);
      if (last === null) return at;
      from = last;
      return undefined;
    });
  }

  return {
    kind: 'except',
    type: except,
    parts: [trigger, ...triggers],
    jitterMs: trigger.jitterMs ?? 0,
    next: (from, context) => findOther({ from, forward: true, context }),
    previous: (from, context) => findOther({ from, forward: false, context }),
    toJSON: () => ({
      kind: 'except',
      trigger: trigger.toJSON(),
      exclusions: stored.map((entry) => (isTrigger(entry) ? entry.toJSON() : entry)),
      ...given,
    }),
  };
}

function parseExcept(json: TriggerJson, parse: (json: TriggerJson) => Trigger): Trigger {
  const { kind: _, trigger, exclusions, ...options } = json;
  const isTriggerJson = (value: unknown): value is TriggerJson =>
    typeof value === 'object' && value !== null && 'kind' in value;
  return createExcept(
    parse(trigger as TriggerJson),
    (Array.isArray(exclusions)
      ? exclusions.map((value: Json) => (isTriggerJson(value) ? parse(value) : value))
      : exclusions) as readonly Exclusion[],
    options,
  );
}
