/** One attempt: calls the handler, enforces its limits, and reports how it ended. Does not use the store. */

import { type Clock, holdTime } from '../clock.js';
import type { Claim } from '../decisions/claim.js';
import { replacedAt } from '../decisions/conclude.js';
import type { Ending } from '../decisions/decision.js';
import { SchedError, type SchedErrorCode } from '../errors.js';
import { copyPayload, decodePayload, type PayloadCodec } from '../payload.js';
import { describeError, isPermanent } from '../record.js';
import type { TaskDefinition } from '../task.js';

export interface RunOptions {
  readonly clock: Clock;
  readonly codec: PayloadCodec | undefined;
  /** How long a handler may take to end after its signal is aborted, in milliseconds. */
  readonly abortGraceMs: number;
}

/** How a run ended. `lost`: the task is no longer this worker's, so nothing may be recorded. */
export interface RunEnd {
  readonly ending: Ending | { readonly kind: 'lost' };
  /** The signal was aborted, but the handler has not ended. */
  readonly isAbandoned: boolean;
}

export class Run {
  /** By the store's clock. */
  readonly startedAt: number;
  /** The claim under which the run began. */
  readonly claim: Claim;
  readonly ended: Promise<RunEnd>;
  readonly #controller = new AbortController();
  readonly #clock: Clock;
  readonly #abortGraceMs: number;
  readonly #timers: unknown[] = [];
  #isPermanent = false;
  #hasEnded = false;
  #end: (end: RunEnd) => void = () => {};

  constructor(
    claim: Claim,
    task: TaskDefinition,
    now: number,
    { clock, codec, abortGraceMs }: RunOptions,
  ) {
    this.claim = claim;
    this.startedAt = now;
    this.#clock = clock;
    this.#abortGraceMs = abortGraceMs;
    this.ended = holdTime(
      clock,
      () =>
        new Promise((resolve) => {
          this.#end = (end) => {
            this.#hasEnded = true;
            for (const timer of this.#timers) clock.clearTimeout(timer);
            resolve(end);
          };
          this.#call(claim, task, codec).then(
            () => this.#end({ ending: { kind: 'succeeded' }, isAbandoned: false }),
            (thrown: unknown) => this.#end({ ending: this.#endingOf(thrown), isAbandoned: false }),
          );
        }),
    );
  }

  /** Aborts the handler's signal, and gives the handler `abortGraceMs` to end. Only the first reason counts. */
  abort(reason: SchedError): void {
    const { signal } = this.#controller;
    if (signal.aborted || this.#hasEnded) return;
    this.#timers.push(
      this.#clock.setTimeout(
        () => this.#end({ ending: this.#endingOf(reason), isAbandoned: true }),
        this.#abortGraceMs,
      ),
    );
    this.#controller.abort(reason);
  }

  async #call(claim: Claim, task: TaskDefinition, codec: PayloadCodec | undefined): Promise<void> {
    const { record, body, token } = claim;
    // If the schema refuses the payload now, it will refuse it at the next attempt too.
    this.#isPermanent = true;
    this.#watch(claim);
    const payload = await (task.schema
      ? decodePayload(task, body, codec)
      : copyPayload(body, codec));
    this.#isPermanent = false;
    await task.run({
      payload,
      nominal: new Date(body.nominal ?? this.startedAt),
      attempt: body.attempt,
      token,
      signal: this.#controller.signal,
      task: { id: record.id, name: record.name, queue: record.queue, group: record.group },
    });
  }

  #watch(claim: Claim): void {
    const { record } = claim;
    const { timeoutMs } = claim.policies;
    if (timeoutMs !== null) {
      this.#abortIn(
        timeoutMs,
        'SCHED_TIMEOUT',
        `The handler of ${record.name} ran longer than its timeout of ${timeoutMs} ms.`,
      );
    }
    const replaced = replacedAt(claim, this.startedAt);
    if (replaced !== null) {
      this.#abortIn(
        replaced - this.startedAt,
        'SCHED_REPLACED',
        `The next occurrence of ${record.id} fell due and replaces this run.`,
      );
    }
  }

  #abortIn(delayMs: number, code: SchedErrorCode, message: string): void {
    this.#timers.push(
      this.#clock.setTimeout(() => this.abort(new SchedError(code, message)), delayMs),
    );
  }

  /** After an abort, the reason of the abort counts, not what the handler throws because of it. */
  #endingOf(thrown: unknown): RunEnd['ending'] {
    const { aborted, reason } = this.#controller.signal;
    const error = describeError(aborted ? reason : thrown);
    if (aborted) {
      const { code } = reason as SchedError;
      if (code === 'SCHED_LEASE_LOST') return { kind: 'lost' };
      if (code === 'SCHED_REPLACED') return { kind: 'replaced', error };
      if (code === 'SCHED_STOPPED') return { kind: 'stopped', error };
      return { kind: 'failed', error, permanent: code === 'SCHED_CANCELLED' };
    }
    return { kind: 'failed', error, permanent: this.#isPermanent || isPermanent(thrown) };
  }
}
