import type { NewTaskRecord, TaskRecord } from '../../src/data-store.js';
import { admit } from '../../src/decisions/admit.js';
import type { Claim } from '../../src/decisions/claim.js';
import { conclude, concludeEdited, replacedAt } from '../../src/decisions/conclude.js';
import type { Decision, Ending as RunEnding } from '../../src/decisions/decision.js';
import { defaultPolicies, type Policies, resolvePolicies } from '../../src/policies.js';
import {
  bodyVersion,
  type RunEntry,
  readBody,
  type TaskBody,
  writeBody,
} from '../../src/record.js';
import { firstOccurrence, Schedule, triggerContext } from '../../src/schedule.js';
import type { Trigger, TriggerContext } from '../../src/trigger.js';
import { every } from '../../src/triggers/every.js';

export const minuteMs = 60_000;
const leaseMs = 15_000;

/** Policies, as tables of tests hold them. */
export type LoosePolicies = { readonly [K in keyof Policies]?: Policies[K] | undefined };

/** How a handler ends. */
export type Ending = 'succeed' | 'fail' | 'failForGood' | 'stop' | 'replace';

const error = { name: 'Error', message: 'as told' };
const outcomes: Readonly<Record<Ending, RunEnding>> = {
  succeed: { kind: 'succeeded' },
  fail: { kind: 'failed', error, permanent: false },
  failForGood: { kind: 'failed', error, permanent: true },
  stop: { kind: 'stopped', error },
  replace: { kind: 'replaced', error },
};

export interface Attempt {
  readonly claim: Claim;
  readonly startedAt: number;
  /** When `overlap: 'replace'` aborts it. */
  readonly replacedAt: number | null;
}

export interface WorldOptions {
  readonly trigger: Trigger;
  readonly policies?: LoosePolicies;
  readonly declaredAt?: number;
  /** Hears of each decision once it holds. */
  readonly onSettled?: (decision: Decision, attempt: Attempt | undefined) => void;
}

/**
 * One task in a store that does what the contract says, and one worker at a time that does what the policies say: the
 * pure functions, and nothing else, with the time told.
 */
export class World {
  now: number;
  /** The stored task; undefined once it has been removed. */
  record: TaskRecord | undefined;
  trigger: Trigger;
  readonly children: NewTaskRecord[] = [];
  readonly records: RunEntry[] = [];
  readonly #onSettled: NonNullable<WorldOptions['onSettled']>;
  #token = 0;
  #revision = 1;

  constructor({ trigger, policies = {}, declaredAt = 0, onSettled = () => {} }: WorldOptions) {
    this.now = declaredAt;
    this.trigger = trigger;
    this.#onSettled = onSettled;
    const first = firstOccurrence(trigger, triggerContext('task', { declaredAt }), declaredAt);
    if (!first) throw new Error('The trigger never occurs.');
    this.record = {
      ...{ id: 'task', name: 'task', queue: 'default', group: null },
      ...{ status: 'scheduled', paused: false, runAt: first.runAt, wakeAt: first.runAt },
      ...{ resumedAt: null, lease: null, deliveries: 0, revision: 1 },
      body: writeBody({
        v: bodyVersion,
        trigger: trigger.toJSON(),
        declaredAt,
        edition: 1,
        policies: resolvePolicies(policies as Policies),
        nominal: first.nominal,
        attempt: 1,
      }),
    };
  }

  get body(): TaskBody {
    return readBody(this.#require().body);
  }

  /** When somebody must look at it. */
  get wakeAt(): number | null {
    const { record } = this;
    if (record?.status !== 'scheduled' || record.paused) return null;
    return record.lease ? record.lease.expiresAt : record.runAt;
  }

  get isDue(): boolean {
    return this.wakeAt !== null && this.wakeAt <= this.now;
  }

  /** Claims the task if it is due, and settles it or begins an attempt. `lost`: the worker dies on the way. */
  claim(running = 0): Attempt | 'settled' | 'idle' {
    const claim = this.take();
    if (!claim) return 'idle';
    const decision = admit(claim, this.now, running);
    if (decision !== 'run') {
      this.#settle(claim, decision, undefined);
      return 'settled';
    }
    return { claim, startedAt: this.now, replacedAt: replacedAt(claim, this.now) };
  }

  /** Claims the task if it is due, and does nothing with it: it is up to the lease, unless it is given back. */
  take(): Claim | undefined {
    if (!this.isDue) return undefined;
    const record = this.#require();
    const lease = { token: ++this.#token, owner: 'w', expiresAt: this.now + leaseMs };
    this.record = { ...record, lease, deliveries: record.deliveries + 1 };
    return this.#claimOf(this.record);
  }

  /** Claims until the task runs, or is not due any more. */
  begin(): Attempt | undefined {
    let taken = this.claim();
    while (taken === 'settled') taken = this.claim();
    return taken === 'idle' ? undefined : taken;
  }

  /** Ends an attempt now. Says whether its worker still held the task. */
  end(attempt: Attempt, ending: Ending = 'succeed'): boolean {
    const { claim, startedAt } = attempt;
    const { record } = this;
    if (record?.lease?.token !== claim.token) return false;
    const outcome = outcomes[ending];
    const current = this.#claimOf(record);
    const decision =
      current.body.edition === claim.body.edition
        ? conclude(current, outcome, startedAt, this.now)
        : concludeEdited(current, conclude(claim, outcome, startedAt, this.now));
    this.#settle(current, decision, attempt);
    return true;
  }

  /** Runs the task, from now, as often as it is due, each attempt for so long. */
  drain(durationMs = 0, ending: Ending = 'succeed'): void {
    this.drainTimes(1000, durationMs, ending);
    if (this.isDue) throw new Error('The task is due again and again.');
  }

  /** The same, for at most so many attempts. */
  drainTimes(count: number, durationMs: number, ending: Ending = 'succeed'): void {
    for (let i = 0; i < count; i++) {
      const attempt = this.begin();
      if (!attempt) return;
      const endAt = this.now + durationMs;
      if (attempt.replacedAt !== null && attempt.replacedAt <= endAt) {
        this.now = attempt.replacedAt;
        this.end(attempt, 'replace');
      } else {
        this.now = endAt;
        this.end(attempt, ending);
      }
    }
  }

  /** Lets a worker that does nothing else run the task up to `until`. */
  workUntil(until: number, durationMs = 0, ending: Ending = 'succeed'): void {
    for (;;) {
      this.drain(durationMs, ending);
      const { wakeAt } = this;
      if (wakeAt === null || wakeAt > until) break;
      this.now = Math.max(this.now, wakeAt);
    }
    this.now = Math.max(this.now, until);
  }

  /** Prolongs the lease of an attempt to last until then, also when it has run out, unless it was taken or ended. */
  extend({ claim: { token } }: Attempt, expiresAt: number): void {
    const { record } = this;
    if (record?.lease?.token !== token) return;
    this.record = { ...record, lease: { ...record.lease, expiresAt } };
  }

  pause(): void {
    this.record = { ...this.#require(), paused: true };
  }

  resume(): void {
    const record = this.#require();
    if (record.paused) this.record = { ...record, paused: false, resumedAt: this.now };
  }

  edit(change: Partial<TaskRecord>): void {
    this.record = { ...this.#require(), ...change, revision: ++this.#revision };
  }

  /** What happened, a line each, with moments in minutes. */
  get story(): string[] {
    return this.records.map(tell);
  }

  #claimOf(record: TaskRecord): Claim {
    const body = readBody(record.body);
    const policies = { ...defaultPolicies, ...body.policies };
    const token = record.lease?.token ?? 0;
    return { record, body, trigger: this.trigger, policies, token, owner: 'w' };
  }

  #settle({ token }: Claim, decision: Decision, attempt: Attempt | undefined): void {
    const { next, spawn } = decision;
    const record = this.#require();
    if (record.lease?.token !== token) throw new Error('Settled without a lease.');
    const { paused } = record;
    const revision = ++this.#revision;
    this.record = next
      ? { ...record, ...next, paused: next.paused ?? paused, lease: null, deliveries: 0, revision }
      : undefined;
    this.records.push(...decision.entries);
    this.children.push(...spawn);
    this.#onSettled(decision, attempt);
  }

  #require(): TaskRecord {
    if (!this.record) throw new Error('The task has been removed.');
    return this.record;
  }
}

function tell({
  outcome,
  nominal,
  lastNominal,
  count,
  reason,
  attempt,
  retryAt,
}: RunEntry): string {
  const minute = (at: number) => String(at / minuteMs);
  if (outcome === 'skipped') {
    const range =
      lastNominal === nominal ? minute(nominal) : `${minute(nominal)}-${minute(lastNominal ?? 0)}`;
    return `skipped ${range} ${reason} (${count})`;
  }
  const which = attempt === 1 ? '' : ` attempt ${attempt}`;
  const why = reason === undefined ? '' : ` ${reason}`;
  return `${outcome} ${minute(nominal)}${which}${why}${retryAt === undefined ? '' : ' and will retry'}`;
}

/** Occurrences at each full minute from 1 on. */
const minutely = every('1m', { anchor: 0, start: minuteMs });

/** A task with these policies, by default due at each full minute from 1 on. */
export function world(policies: LoosePolicies, trigger: Trigger = minutely): World {
  return new World({ trigger, policies });
}

export const minutes = (count: number) => count * minuteMs;

/** The moment at which an occurrence should run, its jitter included. */
export function runTime(trigger: Trigger, nominal: number, context: TriggerContext): number {
  return new Schedule(trigger, context).runAt(nominal);
}
