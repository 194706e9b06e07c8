/**
 * Triggers: serialisable rules that give the next occurrence after a moment.
 *
 * A trigger has no state. It does not remember what it has already fired: the task's record does. So two processes, or
 * one process before and after a restart, compute the same occurrences from the same JSON. And it is safe to compare
 * two declarations of a schedule by their JSON.
 *
 * All moments are integer milliseconds since the Unix epoch, in UTC. Local time exists only inside a trigger that has a
 * time zone.
 */

/** A value that JSON can hold exactly. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

/** A trigger as it is stored: its kind, and what that kind needs to make it again. */
export type TriggerJson = { readonly kind: string } & { readonly [key: string]: Json };

/** What a trigger may depend on besides its own JSON. Both facts are stored with the task and never change. */
export interface TriggerContext {
  /** The task's id. Jitter depends on it, so that tasks with the same schedule spread out. */
  readonly id: string;
  /**
   * When the schedule was declared (or its trigger last changed), by the store's clock, in epoch milliseconds. An
   * interval without an anchor counts from here, so it does not drift.
   */
  readonly declaredAt: number;
}

/**
 * A rule that names moments. Implementations are immutable and pure: the same arguments always give the same answer, on
 * every machine.
 */
export interface Trigger {
  /** The name of the {@link TriggerKind} that can make this trigger from its JSON. */
  readonly kind: string;
  /** The kind itself, so that code that uses a trigger can also read it back from the store. */
  readonly type: TriggerKind;
  /**
   * The first occurrence strictly after `afterMs`, or `null` when there is none.
   *
   * Must return quickly for every input, also when there will never be another occurrence.
   */
  next(afterMs: number, context: TriggerContext): number | null;
  /**
   * The last occurrence strictly before `beforeMs`, or `null` when there is none. The mirror image of `next`: for
   * every occurrence `t`, `previous(t + 1) === t` and `next(t - 1) === t`.
   *
   * This finds the latest missed occurrence after years of downtime without stepping through all of them.
   */
  previous(beforeMs: number, context: TriggerContext): number | null;
  /**
   * The largest delay, in milliseconds, between a nominal time and its run. The actual delay depends only on the task's
   * id and the nominal time, so it is the same wherever and however often it is computed. It is always shorter than the
   * time to the next occurrence. Nominal times are never jittered. Absent means none.
   */
  readonly jitterMs?: number;
  /** The triggers that this one consists of, so that their kinds are known wherever its own is. Absent means none. */
  readonly parts?: readonly Trigger[];
  /** The stored form. {@link TriggerKind.parse} makes an equal trigger of `JSON.parse(JSON.stringify(trigger))`. */
  toJSON(): TriggerJson;
}

/**
 * Reads one kind of trigger back from its JSON. `at`, `every`, `cron` and the combinations are kinds. Third parties
 * write their own and register them with `createScheduler({ triggers: [myKind] })`.
 */
export interface TriggerKind {
  /** Unique. A third party's kind has its own prefix, such as `acme/tide`. */
  readonly kind: string;
  /**
   * Makes the trigger that `json` describes.
   *
   * @param json what {@link Trigger.toJSON} returned, after a round trip through the store
   * @param parse reads the JSON of a trigger nested in this one
   * @throws SchedError `SCHED_TRIGGER_INVALID`, or the kind's own code, when the JSON does not describe a trigger
   */
  parse(json: TriggerJson, parse: (json: TriggerJson) => Trigger): Trigger;
}

/**
 * When an occurrence should run: its nominal time plus a delay of at most `jitterMs`, which depends only on the task's
 * id and the nominal time.
 */
export function jitteredTime(
  { jitterMs = 0 }: Pick<Trigger, 'jitterMs'>,
  nominal: number,
  context: TriggerContext,
): number {
  return jitterMs > 0
    ? nominal + Math.floor(fraction(`${context.id}\n${nominal}`) * (jitterMs + 1))
    : nominal;
}

/** A number in [0, 1) that depends only on the text: FNV-1a, then a finaliser that spreads similar inputs. */
export function fraction(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
