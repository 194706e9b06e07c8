import { checkMembers } from '../check.js';
import {
  DAY_MS,
  type Duration,
  MAX_TIME,
  MIN_TIME,
  parseDurationMs,
  parseTime,
  type Time,
} from '../duration.js';
import { show } from '../show.js';
import { type OffsetSpan, type TimeZone, timeZone } from '../time-zone.js';
import type { Trigger, TriggerJson, TriggerKind } from '../trigger.js';
import { invalidTrigger } from './check.js';
import { parseCron } from './cron-parse.js';
import { type CronTimes, cronTimes } from './cron-times.js';

/** Where and when a cron expression applies, and what to do with local times that do not exist or come twice. */
export interface CronOptions {
  /** The IANA time zone whose calendar and clock the expression uses. `'UTC'` by default, on every machine. */
  readonly timeZone?: string;
  /**
   * What to do with local times that do not exist because the clocks go forward: `'shift'` (the default) runs once, at
   * the first moment after the gap, however many of the schedule's times are in the gap. `'skip'` drops them.
   */
  readonly gap?: 'skip' | 'shift';
  /**
   * What to do with local times that come twice because the clocks go back: `'first'` (the default) runs only the first
   * time, `'both'` both times.
   */
  readonly fold?: 'first' | 'both';
  /** No occurrence is before this moment; one may be exactly at it. */
  readonly start?: Time;
  /** No occurrence is after this moment; one may be exactly at it. */
  readonly end?: Time;
  /** The largest delay between a nominal time and its run. It spreads out tasks with the same schedule. */
  readonly jitter?: Duration;
}

/** The type of {@link cron}, which is both the function that makes the trigger and the kind that reads it back. */
export interface CronKind extends TriggerKind {
  /**
   * @throws SchedError `SCHED_CRON_SYNTAX`, `SCHED_CRON_RANGE` or `SCHED_CRON_UNSUPPORTED`, whose message and
   *   `details` (`{expression, field, column}`) say where the expression is wrong; `SCHED_TIME_ZONE_UNKNOWN`,
   *   `SCHED_TIME_INVALID`, `SCHED_DURATION_INVALID`, or `SCHED_TRIGGER_INVALID` for other invalid options
   */
  (expression: string, options?: CronOptions): Trigger;
  readonly kind: 'cron';
}

/**
 * The local times that a cron expression names: `cron('30 9 * * MON-FRI', { timeZone: 'Europe/Berlin' })`.
 *
 * The five fields are minute (0-59), hour (0-23), day of month (1-31), month (1-12 or JAN-DEC) and day of week (0-7 or
 * SUN-SAT; 0 and 7 are Sunday). Six fields begin with the second (0-59). A field is a comma-separated list of values,
 * ranges such as `1-5`, and steps such as `*` + `/15` or `10-50/10`. Names may be in any case. Ranges run forwards, but
 * `SAT-SUN` ends on the following Sunday. `?` means `*` in the day fields.
 *
 * The day of month may be `L` (the last), `L-3` (three days before it), `15W` (the day from Monday to Friday nearest to
 * the 15th, in the same month) or `LW`. The day of week may be `FRI#2` (the second Friday) or `FRIL` (the last). When
 * both fields are restricted, a day must match either; when one begins with `*` or is `?`, it must match both.
 * `@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight` and `@hourly` stand for whole expressions.
 *
 * When the clocks change, it behaves like Debian's cron. `gap` and `fold` say what to do with times that do not exist
 * or come twice. They do not apply when the minute or the hour field begins with `*`: such a schedule follows real
 * time, runs both times in a repeated hour, and moves nothing. A `*` in the second field alone has no such effect.
 * Unlike in Debian's cron, all times in a gap make one run, and the rule applies to changes of any size, even a whole
 * day.
 */
export const cron: CronKind = /* @__PURE__ */ Object.assign(createCron, {
  kind: 'cron' as const,
  parse: parseCronJson,
});

function createCron(expression: string, options: CronOptions = {}): Trigger {
  checkMembers(
    'The options of cron',
    options,
    ['timeZone', 'gap', 'fold', 'start', 'end', 'jitter'],
    'SCHED_TRIGGER_INVALID',
  );
  const fields = parseCron(expression);
  const { timeZone: name = 'UTC', gap = 'shift', fold = 'first' } = options;
  const zone = timeZone(name);
  checkChoice('gap', gap, ['skip', 'shift']);
  checkChoice('fold', fold, ['first', 'both']);
  const start = options.start === undefined ? undefined : parseTime(options.start, 'start');
  const end = options.end === undefined ? undefined : parseTime(options.end, 'end');
  if (start !== undefined && end !== undefined && end < start) {
    throw invalidTrigger(
      'end is before start, so there would be no occurrence at all. Swap them, or drop one.',
    );
  }
  const jitterMs =
    options.jitter === undefined ? undefined : parseDurationMs(options.jitter, 'jitter');
  const given = Object.entries({
    timeZone: options.timeZone,
    gap: options.gap,
    fold: options.fold,
    start,
    end,
    jitterMs,
  }).filter((entry): entry is [string, string | number] => entry[1] !== undefined);

  return {
    kind: 'cron',
    type: cron,
    jitterMs: jitterMs ?? 0,
    ...occurrences({
      times: cronTimes(fields),
      zone,
      shiftsFromGaps: gap === 'shift' && !fields.followsRealTime,
      keepsToFirstPass: fold === 'first' && !fields.followsRealTime,
      first: start ?? MIN_TIME,
      last: end ?? MAX_TIME,
    }),
    toJSON: () => ({ kind: 'cron', expression, ...Object.fromEntries(given) }),
  };
}

function parseCronJson({ kind: _, expression, jitterMs, ...options }: TriggerJson): Trigger {
  return createCron(
    expression as string,
    jitterMs === undefined ? options : { ...options, jitter: jitterMs as number },
  );
}

function checkChoice(option: string, value: string, choices: readonly string[]): void {
  if (!choices.includes(value)) {
    throw invalidTrigger(`${option} is ${show(value)}. It must be '${choices.join("' or '")}'.`);
  }
}

/** How local times become moments. */
interface Rules {
  readonly times: CronTimes;
  readonly zone: TimeZone;
  /** Whether times in a gap make one occurrence at its end. */
  readonly shiftsFromGaps: boolean;
  /** Whether times in a fold occur in its first pass only. */
  readonly keepsToFirstPass: boolean;
  /** The first and the last moment that may be an occurrence. */
  readonly first: number;
  readonly last: number;
}

/**
 * Goes through the stretches of constant offset, in which local times and moments advance together.
 *
 * Skips stretches when the next local time is far away. Every offset is less than a day, so the moments of a local time
 * under any two offsets lie within two days. When clocks go back, local times of up to a day ago come again, and the
 * search has not looked at those. So it skips nothing when the clocks may go back within a day.
 */
function occurrences(rules: Rules): Pick<Trigger, 'next' | 'previous'> {
  const { times, zone, shiftsFromGaps, keepsToFirstPass, first, last } = rules;

  /** Whether any of the schedule's times is in the gap before a stretch. */
  function swallowed({ changedAt, before, offset }: OffsetSpan): boolean {
    return before < offset && times(changedAt + before, true) < changedAt + offset;
  }

  /** Until when the local times of a stretch come for the second time and do not count. */
  function secondPassEnd({ start, changedAt, before, offset }: OffsetSpan): number {
    return keepsToFirstPass && before > offset ? changedAt + before - offset : start;
  }

  return {
    next(afterMs) {
      let at = Math.max(Math.floor(afterMs) + 1, first);
      while (at <= last) {
        const span = zone.spanAt(at);
        if (shiftsFromGaps && at === span.changedAt && swallowed(span)) return at;
        const from = Math.max(at, secondPassEnd(span));
        const found = times(from + span.offset, true) - span.offset;
        if (found < span.end) return found <= last ? found : null;
        const isFar = span.end > from + DAY_MS;
        at = isFar ? Math.max(span.end, found - 2 * DAY_MS) : span.end;
      }
      return null;
    },
    previous(beforeMs) {
      let at = Math.min(Math.ceil(beforeMs) - 1, last);
      while (at >= first) {
        const span = zone.spanAt(at);
        const { start, changedAt, offset } = span;
        const found = times(at + offset, false) - offset;
        if (found >= Math.max(start, secondPassEnd(span))) return found >= first ? found : null;
        if (shiftsFromGaps && start === changedAt && swallowed(span)) {
          return start >= first ? start : null;
        }
        const isFar = start < at - DAY_MS;
        at = isFar ? Math.min(start - 1, found + 2 * DAY_MS) : start - 1;
      }
      return null;
    },
  };
}
