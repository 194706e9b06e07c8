/** One attempt: calls the handler, enforces its limits, and reports how it ended. Does not use the store. */

import type { Clock } from '../clock.js';
import type { Claim } from '../decisions/claim.js';
import { replacedAt } from '../decisions/conclude.js';
import type { Ending } from '../decisions/decision.js';
import { SchedError, type SchedErrorCode } from '../errors.js';
import { noHeaders } from '../headers.js';
import type { MiddlewareStack } from '../middleware.js';
import { copyJson, parsePayload } from '../payload.js';
import { describeError, isPermanent } from '../record.js';
import { nothing, type RunReport, readResult, withLine, withProgress } from '../run-report.js';
import type { TaskDefinition } from '../task.js';
import type { HeldTask } from './held-task.js';

export interface RunOptions {
  readonly clock: Clock;
  readonly middleware: MiddlewareStack;
  readonly maxResultBytes: number;
  /** The store's time. */
  estimateNow(): number;
  /** How long a handler may take to end after its signal is aborted, in milliseconds. */
  readonly abortGraceMs: number;
}

/** How a run ended. `lost`: the task is no longer this worker's, so nothing may be recorded. */
export interface RunEnd {
  readonly ending: Ending | { readonly kind: 'lost' };
  /** The signal was aborted, but the handler has not ended. */
  readonly isAbandoned: boolean;
}

const succeeded: RunEnd = { ending: { kind: 'succeeded' }, isAbandoned: false };

export class Run {
  /** By the store's clock. */
  readonly startedAt: number;
  /** The claim under which the run began. */
  readonly claim: Claim;
  /** What the handler has told. */
  report: RunReport = nothing;
  /** What the handler has returned, if that is kept. */
  result: { readonly result?: unknown } = nothing;
  readonly #task: TaskDefinition;
  /** The payload, where a codec had encoded it. */
  readonly #decoded: unknown;
  readonly #options: RunOptions;
  readonly #controller = new AbortController();
  /** The timers that may abort the run. Most runs have none. */
  #timers: unknown[] | undefined;
  #isPermanent = false;
  /** Absent before the start and after the end. */
  #onEnd: ((end: RunEnd) => void) | undefined;
  #onTold = () => {};

  constructor({ claim, definition, decoded }: HeldTask, now: number, options: RunOptions) {
    this.claim = claim;
    this.startedAt = now;
    this.#task = definition;
    this.#decoded = decoded;
    this.#options = options;
  }

  /**
   * Calls the handler.
   *
   * @param onEnd called once, after this method has returned
   * @param onTold called each time that the handler has told something
   */
  start(onEnd: (end: RunEnd) => void, onTold: () => void): void {
    const { clock } = this.#options;
    this.#onTold = onTold;
    if (!clock.hold) {
      this.#onEnd = onEnd;
      this.#begin();
      return;
    }
    const ended = clock.hold(
      () =>
        new Promise<RunEnd>((resolve) => {
          this.#onEnd = resolve;
          this.#begin();
        }),
    );
    void ended.then(onEnd);
  }

  #begin(): void {
    Promise.resolve(this.#call()).then(
      (returned: unknown) => {
        this.result = readResult(returned, this.#options.maxResultBytes);
        this.#end(succeeded);
      },
      (thrown: unknown) => this.#end({ ending: this.#endingOf(thrown), isAbandoned: false }),
    );
  }

  #end(end: RunEnd): void {
    const onEnd = this.#onEnd;
    if (!onEnd) return;
    this.#onEnd = undefined;
    if (this.#timers) for (const timer of this.#timers) this.#options.clock.clearTimeout(timer);
    onEnd(end);
  }

  /** Aborts the handler's signal, and gives the handler `abortGraceMs` to end. Only the first reason counts. */
  abort(reason: SchedError): void {
    const { signal } = this.#controller;
    if (signal.aborted || !this.#onEnd) return;
    this.#setTimer(
      () => this.#end({ ending: this.#endingOf(reason), isAbandoned: true }),
      this.#options.abortGraceMs,
    );
    this.#controller.abort(reason);
  }

  /** @returns what the handler returns, which may be a promise; a rejected one for what it throws */
  #call(): unknown {
    const { body } = this.claim;
    // If the schema refuses the payload now, it will refuse it at the next attempt too.
    this.#isPermanent = true;
    try {
      this.#watch();
      const payload = body.encoded ? this.#decoded : copyJson(body.payload);
      if (!this.#task.schema) return this.#handle(payload);
      return parsePayload(this.#task, payload).then((parsed) => this.#handle(parsed));
    } catch (thrown) {
      return Promise.reject(thrown);
    }
  }

  #handle(payload: unknown): unknown {
    const { record, body, token } = this.claim;
    const { middleware } = this.#options;
    this.#isPermanent = false;
    return middleware.run(this.#task, {
      payload,
      nominal: new Date(body.nominal ?? this.startedAt),
      attempt: body.attempt,
      token,
      signal: this.#controller.signal,
      headers: body.headers ?? noHeaders,
      context: middleware.contextOf(this.#task),
      progress: (fraction) => this.#tell(withProgress(this.report, fraction)),
      log: (line) => this.#tell(withLine(this.report, line, this.#options.estimateNow())),
      task: { id: record.id, name: record.name, queue: record.queue, group: record.group },
    });
  }

  #tell(report: RunReport): void {
    if (!this.#onEnd) return;
    this.report = report;
    this.#onTold();
  }

  #watch(): void {
    const { record, policies } = this.claim;
    const { timeoutMs } = policies;
    if (timeoutMs !== null) {
      this.#abortIn(
        timeoutMs,
        'SCHED_TIMEOUT',
        `The handler of ${record.name} ran longer than its timeout of ${timeoutMs} ms.`,
      );
    }
    const replaced = replacedAt(this.claim, this.startedAt);
    if (replaced !== null) {
      this.#abortIn(
        replaced - this.startedAt,
        'SCHED_REPLACED',
        `The next occurrence of ${record.id} fell due and replaces this run.`,
      );
    }
  }

  #abortIn(delayMs: number, code: SchedErrorCode, message: string): void {
    this.#setTimer(() => this.abort(new SchedError(code, message)), delayMs);
  }

  #setTimer(callback: () => void, delayMs: number): void {
    this.#timers ??= [];
    this.#timers.push(this.#options.clock.setTimeout(callback, delayMs));
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
