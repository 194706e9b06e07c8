import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Decision } from '../src/decisions/decision.js';
import type { Policies, Trigger } from '../src/index.js';
import { defaultPolicies, type ResolvedPolicies, resolvePolicies } from '../src/policies.js';
import { type RunEntry, readBody, type TaskBody, writeBody } from '../src/record.js';
import { declared } from './support/occurrences.js';
import { type Attempt, type Ending, runTime, World } from './support/world.js';

// Whatever happens to a task, each occurrence of its schedule runs or is skipped for a reason, and only one of them.

const context = declared(0);
const secondMs = 1000;

function listed(moments: readonly number[], jitterMs: number): Trigger {
  return {
    kind: 'listed',
    type: { kind: 'listed', parse: () => listed(moments, jitterMs) },
    jitterMs,
    next: (after) => moments.find((moment) => moment > after) ?? null,
    previous: (before) => moments.findLast((moment) => moment < before) ?? null,
    toJSON: () => ({ kind: 'listed', moments, jitterMs }),
  };
}

/** Follows a task through a world, and checks each decision against all that went before. */
class Auditor {
  readonly world: World;
  readonly #moments: readonly number[];
  /** What became of each occurrence. */
  readonly accounts = new Map<number, string>();
  /** From when to when an attempt was under way, the wait for a retry included. */
  readonly #busy: { readonly from: number; to: number }[] = [];
  #current: Attempt | undefined;

  constructor(moments: readonly number[], jitterMs: number, policies: Policies) {
    this.#moments = moments;
    this.world = new World({
      trigger: listed(moments, jitterMs),
      policies: { ...policies, keepFinished: true },
      onSettled: (decision, attempt) => this.#audit(decision, attempt),
    });
  }

  begin(running: number): void {
    if (this.#current) return;
    let claimed = this.world.claim(running);
    while (claimed === 'settled') claimed = this.world.claim(running);
    if (claimed === 'idle') return;
    this.#auditBeginning(claimed);
    this.#current = claimed;
    this.#busy.push({ from: this.world.now, to: this.world.now });
  }

  /** @param isAlive whether the worker keeps the lease of what it runs */
  advance(ms: number, isAlive: boolean): void {
    const { now } = this.world;
    if (this.#current && isAlive) this.world.extend(this.#current, now + ms + 15 * secondMs);
    this.world.now = now + ms;
  }

  end(ending: Ending): void {
    const attempt = this.#current;
    if (!attempt) return;
    const isReplaced = attempt.replacedAt !== null && attempt.replacedAt <= this.world.now;
    this.world.end(attempt, isReplaced ? 'replace' : ending);
    this.#current = undefined;
  }

  vanish(): void {
    this.#current = undefined;
  }

  /** Edits the policies, whatever the task is doing. */
  decree(policies: Policies): void {
    const { body } = this.world;
    const resolved = { ...body.policies, ...resolvePolicies(policies) };
    this.world.edit({ body: writeBody({ ...body, policies: resolved }) });
  }

  /** As somebody does who wants a failed task to have another chance. */
  retry(): void {
    const { record, body, now } = this.world;
    const nominal = body.last?.nominal;
    if (record?.status !== 'failed' || nominal === undefined) return;
    this.accounts.delete(nominal);
    const again: TaskBody = { ...body, nominal, attempt: 1, backlogUntil: nominal, isLast: true };
    this.world.edit({ status: 'scheduled', runAt: now, body: writeBody(again) });
  }

  get #policies(): ResolvedPolicies {
    return { ...defaultPolicies, ...this.world.body.policies };
  }

  #runTime(nominal: number): number {
    return runTime(this.world.trigger, nominal, context);
  }

  /** How many occurrences after this one have passed. */
  #passedAfter(nominal: number): number {
    return this.#moments.filter((n) => n > nominal && this.#runTime(n) <= this.world.now).length;
  }

  #auditBeginning({ claim: { record, body, policies } }: Attempt): void {
    const nominal = body.nominal ?? Number.NaN;
    const lateMs = this.world.now - this.#runTime(nominal);
    expect(lateMs).toBeGreaterThanOrEqual(0);
    expect(this.accounts.has(nominal)).toBe(false);
    if (body.attempt > 1) {
      expect(this.world.now).toBeGreaterThanOrEqual(body.last?.retryAt ?? Number.NaN);
    }
    // Of an occurrence that has begun already, or was decided to run, catch-up asks nothing more.
    const isDecided = nominal <= (body.backlogUntil ?? Number.NEGATIVE_INFINITY);
    if (isDecided || body.attempt > 1 || record.deliveries > 1) return;
    const { mode, windowMs, graceMs } = policies.catchUp;
    if (mode === 'none') expect(lateMs).toBeLessThanOrEqual(graceMs);
    if (windowMs !== null) expect(lateMs).toBeLessThanOrEqual(windowMs);
    if (mode === 'latest') expect(this.#passedAfter(nominal)).toBe(0);
    if (record.resumedAt !== null && this.#moments.length > 1) {
      expect(this.#runTime(nominal)).toBeGreaterThan(record.resumedAt);
    }
  }

  #audit({ entries: records, spawn }: Decision, attempt: Attempt | undefined): void {
    for (const record of records) {
      if (record.outcome === 'skipped') this.#auditSkipped(record, attempt);
      else this.#auditRun(record);
    }
    for (const child of spawn) this.#account(readBody(child.body).nominal ?? Number.NaN, 'spawned');

    // Everything before the occurrence that comes next is accounted for, and nothing from there on.
    const { nominal, isLast } = this.world.body;
    const isOpen = (n: number) => nominal !== null && (isLast ? n === nominal : n >= nominal);
    expect(this.#moments.filter((n) => !this.accounts.has(n))).toEqual(
      this.#moments.filter(isOpen),
    );
  }

  #auditRun({ nominal, outcome, reason, attempt, retryAt, at, startedAt }: RunEntry): void {
    if (retryAt !== undefined) expect(attempt).toBeLessThanOrEqual(this.#policies.retry.limit);
    const stay = this.#busy.at(-1);
    if (stay && startedAt !== undefined) stay.to = retryAt ?? at;
    const isToBeContinued =
      retryAt !== undefined || (outcome === 'interrupted' && reason === undefined);
    if (isToBeContinued) expect(this.world.body.nominal).toBe(nominal);
    else this.#account(nominal, outcome);
  }

  #auditSkipped(record: RunEntry, attempt: Attempt | undefined): void {
    const { nominal, lastNominal = Number.NaN, count, reason } = record;
    const skipped = this.#moments.filter((n) => n >= nominal && n <= lastNominal);
    expect([skipped[0], skipped.at(-1), skipped.length]).toEqual([nominal, lastNominal, count]);
    for (const n of skipped) {
      this.#account(n, `skipped ${reason}`);
      expect(this.#runTime(n)).toBeLessThanOrEqual(this.world.now);
      expect(this.#excuses(n, attempt)).toContain(reason);
    }
  }

  /** For which reasons it may be skipped now. */
  #excuses(nominal: number, attempt: Attempt | undefined): string[] {
    const { now, record } = this.world;
    const { catchUp, overlap } = this.#policies;
    const { mode, windowMs, graceMs, limit } = catchUp;
    const moment = this.#runTime(nominal);
    const passedAfter = this.#passedAfter(nominal);
    const excuses: string[] = [];
    if (moment <= (record?.resumedAt ?? Number.NaN)) excuses.push('paused');
    if (attempt === undefined) {
      const lateMs = now - moment;
      const isTooLate =
        (windowMs !== null && lateMs > windowMs) || (mode === 'none' && lateMs > graceMs);
      const isTooMany =
        (mode === 'latest' && passedAfter > 0) ||
        (mode === 'all' && limit !== null && passedAfter >= limit);
      if (isTooLate || isTooMany) excuses.push('missed');
      if (overlap.mode === 'allow' && overlap.maxRunning !== null) excuses.push('overlap');
    } else {
      if (['skip', 'allow'].includes(overlap.mode) && moment > this.#runningSince(graceMs)) {
        excuses.push('overlap');
      }
      // A run that began under another policy may still be replaced by it.
      const isReplaced = attempt.replacedAt !== null && attempt.replacedAt <= now;
      const isLatestWanted = isReplaced || ['queueOne', 'replace'].includes(overlap.mode);
      if (isLatestWanted && passedAfter > 0) excuses.push('superseded');
    }
    return excuses;
  }

  /** Since when there has been no longer gap between attempts than the grace. */
  #runningSince(graceMs: number): number {
    let index = this.#busy.length - 1;
    const gapBefore = (i: number) => (this.#busy[i]?.from ?? 0) - (this.#busy[i - 1]?.to ?? 0);
    while (index > 0 && gapBefore(index) <= graceMs) index--;
    return this.#busy[index]?.from ?? Number.NaN;
  }

  #account(nominal: number, what: string): void {
    expect(this.#moments).toContain(nominal);
    expect(this.accounts.get(nominal)).toBeUndefined();
    this.accounts.set(nominal, what);
  }
}

const durationMs = fc.oneof(
  fc.integer({ min: 1, max: 20 * secondMs }),
  fc.integer({ min: 1, max: 200 * secondMs }),
);

const policies: fc.Arbitrary<Policies> = fc.record(
  {
    catchUp: fc.oneof(
      fc.record(
        {
          mode: fc.constantFrom('none', 'latest', 'all'),
          window: durationMs,
          limit: fc.integer({ min: 1, max: 4 }),
          grace: durationMs,
        },
        { requiredKeys: ['mode'] },
      ),
    ),
    overlap: fc.oneof(
      fc.constantFrom('skip', 'queueOne', 'queueAll', 'replace', 'allow'),
      fc.record({ mode: fc.constant('allow'), maxRunning: fc.integer({ min: 1, max: 2 }) }),
    ),
    retry: fc.record({
      limit: fc.integer({ min: 0, max: 2 }),
      min: durationMs,
      whenExhausted: fc.constantFrom('continue', 'pause'),
    }),
    maxDeliveries: fc.integer({ min: 1, max: 3 }),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<Policies>;

const anyPolicies: fc.Arbitrary<Policies> = fc.oneof(
  policies,
  policies.map(({ retry: _retry, ...rest }) => ({ ...rest, delivery: 'atMostOnce' }) as const),
);

/** Something that happens, written so that a counterexample can be read. */
type Event =
  | readonly ['advance', ms: number, isAlive: boolean]
  | readonly ['begin', running: number]
  | readonly ['end', Ending]
  | readonly ['decree', Policies]
  | readonly ['vanish' | 'take' | 'pause' | 'resume' | 'retry'];

const ending = fc.constantFrom<Ending[]>('succeed', 'fail', 'failForGood', 'stop');
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(fc.constant('advance' as const), durationMs, fc.boolean()),
  },
  { weight: 4, arbitrary: fc.tuple(fc.constant('begin' as const), fc.nat(2)) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('end' as const), ending) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('decree' as const), anyPolicies) },
  {
    weight: 5,
    arbitrary: fc.tuple(fc.constantFrom('vanish', 'take', 'pause', 'resume', 'retry')),
  },
);

function happen(auditor: Auditor, event: Event): void {
  const [what] = event;
  if (what === 'advance') auditor.advance(event[1], event[2]);
  else if (what === 'begin') auditor.begin(event[1]);
  else if (what === 'end') auditor.end(event[1]);
  else if (what === 'decree') auditor.decree(event[1]);
  else if (what === 'vanish' || what === 'retry') auditor[what]();
  else auditor.world[what]();
}

const moments = fc
  .uniqueArray(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 40 })
  .map((seconds) => seconds.map((n) => n * secondMs).sort((a, b) => a - b));
const jitterMs = fc.oneof(fc.constant(0), durationMs);

test('each occurrence is accounted for exactly once, in order, never early, and for a reason that holds', () => {
  fc.assert(
    fc.property(
      moments,
      jitterMs,
      anyPolicies,
      fc.array(event, { maxLength: 60 }),
      (given, jitter, initial, events) => {
        const auditor = new Auditor(given, jitter, initial);
        for (const each of events) happen(auditor, each);
        const { world } = auditor;
        auditor.vanish();
        if (world.record?.paused) world.resume();
        for (let i = 0; i < 200 && world.record?.status === 'scheduled'; i++) {
          auditor.advance(60 * secondMs, false);
          auditor.begin(0);
          auditor.end('succeed');
          if (world.record.paused) world.resume();
        }
        expect(world.record?.status).not.toBe('scheduled');
        expect([...auditor.accounts.keys()].sort((a, b) => a - b)).toEqual(given);
      },
    ),
    { numRuns: 2000 },
  );
});

test('with catch-up all and overlap queueAll nothing is skipped but by a pause', () => {
  fc.assert(
    fc.property(moments, jitterMs, fc.array(event, { maxLength: 60 }), (given, jitter, events) => {
      const auditor = new Auditor(given, jitter, { catchUp: 'all', overlap: 'queueAll' });
      auditor.decree = () => {};
      for (const each of events) happen(auditor, each);
      const reasons = new Set(auditor.accounts.values());
      for (const reason of ['missed', 'overlap', 'superseded']) {
        expect(reasons).not.toContain(`skipped ${reason}`);
      }
    }),
    { numRuns: 1000 },
  );
});
