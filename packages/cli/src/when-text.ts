import type { Trigger, TriggerJson, TriggerKind, When } from '@sched/core';
import { allOf, anyOf, at, cron, every, except, SchedError } from '@sched/core';
import { UsageError } from './errors.js';
import { length } from './times.js';

/** The kinds of trigger that every command knows. */
export const combinations: readonly TriggerKind[] = [anyOf, allOf, except];

/** What a trigger looks like, for help. */
export const triggerHelp =
  "when: a cron expression ('0 9 * * MON-FRI'), 'every 5m', 'in 10m', a moment (2026-12-24T18:00:00Z), 'now', or JSON";

/** Reads triggers back from their stored form. */
export function triggerReader(kinds: readonly TriggerKind[]): (json: TriggerJson) => Trigger {
  const known = [at, every, cron, ...combinations, ...kinds];
  return function read(json) {
    const kind = known.find((each) => each.kind === json.kind);
    if (kind) return kind.parse(json, read);
    throw new SchedError(
      'SCHED_TRIGGER_UNKNOWN',
      `The kind of trigger ${JSON.stringify(json.kind)} is not known here. Name it in triggers of the configuration.`,
    );
  };
}

/**
 * Reads when a task runs, as it is typed.
 *
 * @param zone goes with cron expressions and intervals
 */
export function readWhen(
  text: string,
  zone: string | undefined,
  read: (json: TriggerJson) => Trigger,
): When {
  const timeZone = zone === undefined ? {} : { timeZone: zone };
  const given = text.trim();
  if (given.startsWith('{')) {
    const json = parseJson('The trigger', given) as TriggerJson & When;
    return typeof json.kind === 'string' ? { trigger: read(json) } : { ...json, ...timeZone };
  }
  if (given === 'now') return { in: 0, ...timeZone };
  const [, word, rest = ''] = /^(every|in|at|cron)\s+(.+)$/s.exec(given) ?? [];
  if (word) return { [word]: rest, ...timeZone };
  if (/^\d{4}-\d\d-\d\d/.test(given)) return { at: given, ...timeZone };
  if (/^\d+(ms|[wdhms])/.test(given)) return { every: given, ...timeZone };
  return { cron: given, ...timeZone };
}

/** @throws UsageError that says where the text is no JSON */
export function parseJson(what: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${what} is not JSON: ${(error as Error).message}.`);
  }
}

/** A stored trigger in a few words. */
export function describeTrigger(json: TriggerJson | null): string {
  if (!json) return '?';
  const { kind, ...rest } = json;
  const zone = typeof rest.timeZone === 'string' ? ` ${rest.timeZone}` : '';
  if (kind === 'cron' && typeof rest.expression === 'string') return `${rest.expression}${zone}`;
  if (kind === 'at' && typeof rest.at === 'number') return `at ${new Date(rest.at).toISOString()}`;
  if (kind === 'every') return `every ${interval(rest.every)}${zone}`;
  return JSON.stringify(json);
}

function interval(every: unknown): string {
  if (typeof every === 'number') return length(every);
  if (typeof every !== 'object' || every === null) return String(every);
  return Object.entries(every)
    .map(([unit, count]) => `${count} ${unit}`)
    .join(' ');
}
