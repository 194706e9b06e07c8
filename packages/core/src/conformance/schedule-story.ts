import { isDeepStrictEqual } from 'node:util';
import type { Complain, TaskEvent } from './check-history.js';
import type { DeclaredTask, HistoryRun, RecordedOutcome } from './run-history.js';

type EventOf<Type extends TaskEvent['type']> = Extract<TaskEvent, { type: Type }>;

/** What is known of one schedule of a task: from when it was declared, or edited, to the next edit. */
export class ScheduleStory {
  readonly #task: DeclaredTask;
  readonly #former: ScheduleStory | undefined;
  readonly #occurrences: ReadonlySet<number>;
  readonly #started: HistoryRun[] = [];
  /** For which it has begun as one that runs at most once. */
  readonly #once = new Set<number>();
  readonly #returned: HistoryRun[] = [];
  readonly #threw: HistoryRun[] = [];
  readonly #acknowledged: EventOf<'acknowledged'>[] = [];
  readonly #recorded: RecordedOutcome[] = [];
  readonly #ends = new Map<number, string[]>();
  readonly #children = new Set<string>();
  /** The latest occurrence that it has come to. All before have to have ended. */
  #reached = Number.NEGATIVE_INFINITY;
  /** Of which it was said already that they are missing. */
  readonly #missing = new Set<number>();
  #putOffTo = Number.NEGATIVE_INFINITY;
  #isCutShort = false;

  /** @param former what an edit made it of */
  constructor(task: DeclaredTask, former?: ScheduleStory) {
    this.#task = task;
    this.#former = former;
    this.#occurrences = new Set([...task.occurrences, ...(task.open ?? [])].sort((a, b) => a - b));
  }

  get isOver(): boolean {
    return this.#next === undefined;
  }

  /** Whether something may be to come of it that need not have. */
  get mayGoOn(): boolean {
    return this.#task.open?.some((nominal) => !this.#ends.has(nominal)) ?? false;
  }

  /** Whether that is one of its occurrences. */
  names(nominal: number): boolean {
    return this.#occurrences.has(nominal);
  }

  /** Nothing more has to come of it. */
  cutShort(): void {
    this.#isCutShort = true;
  }

  /** It is not to be claimed before then. */
  putOff(until = Number.NEGATIVE_INFINITY): void {
    this.#putOffTo = until;
  }

  reach(nominal: number): void {
    if (this.names(nominal)) this.#reached = Math.max(this.#reached, nominal);
  }

  /** @param at when, unless it was taken over from another */
  claim(nominal: number, at: number | undefined, complain: Complain): void {
    if (!this.names(nominal)) {
      complain('G4', `was claimed for ${iso(nominal)}, which is not its time`);
      return;
    }
    this.reach(nominal);
    this.#judgeReached(complain);
    if (at !== undefined && at < Math.max(this.#dueAt(nominal), this.#putOffTo)) {
      complain('G4', `was claimed for ${iso(nominal)} early`);
    }
  }

  /** @param task as it was declared when it was claimed */
  start(run: EventOf<'started'>, task: DeclaredTask, complain: Complain): void {
    const { nominal, attempt, child, at } = run;
    const { isAtMostOnce, attempts = Number.POSITIVE_INFINITY } = task;
    if (!this.names(nominal)) {
      complain('G4', `began for ${iso(nominal)}, which is not its time`);
    }
    // A success that the worker has not heard of may have been accepted at any time since.
    if (this.#acknowledged.some((other) => isSuccess(other, nominal) && other.token < run.token)) {
      complain('G2', `began ${describe(run)} after a success was accepted`);
    } else if (child === undefined && (this.#ends.has(nominal) || nominal < this.#reached)) {
      complain('G2', `began ${describe(run)} after it had gone on from there`);
    }
    if (at !== undefined && at < this.#dueAt(nominal)) {
      complain('G4', `began ${describe(run)} early`);
    }
    if (attempt > attempts) complain('G3', `began attempt ${attempt} of at most ${attempts}`);
    if (isAtMostOnce) {
      if (this.#once.has(nominal)) {
        complain('G3', `began twice for ${iso(nominal)}, and was to at most once`);
      }
      this.#once.add(nominal);
    }
    if ('payload' in run && 'payload' in task && !isDeepStrictEqual(run.payload, task.payload)) {
      const [given, own] = [run.payload, task.payload].map((payload) => JSON.stringify(payload));
      complain('G6', `began with the payload ${given}, and was to with ${own}`);
    }
    this.#started.push(run);
    if (child === undefined) this.reach(nominal);
  }

  note(event: EventOf<'returned' | 'threw' | 'acknowledged'>): void {
    if (event.type === 'acknowledged') this.#acknowledged.push(event);
    else if (event.type === 'returned') this.#returned.push(event);
    else this.#threw.push(event);
  }

  /** @param task as it was declared when it was claimed */
  record(outcome: RecordedOutcome, task: DeclaredTask, complain: Complain): void {
    this.#judgeRun(outcome, complain);
    this.#judgeAttempt(outcome, task, complain);
    this.#recorded.push(outcome);
    if (!isEnd(outcome)) return;
    this.#end(outcome.nominal, outcome.outcome, complain);
    if (outcome.child === undefined) this.reach(outcome.nominal);
  }

  /** Skipping needs leave, and a reason that is true. */
  skip(
    { nominal, lastNominal = nominal, reason = '', at }: RecordedOutcome,
    task: DeclaredTask,
    resumedAt: number,
    complain: Complain,
  ): void {
    const wasPaused = reason === 'paused' && lastNominal <= resumedAt;
    if (!wasPaused && !maySkipFor(task, reason))
      complain('G5', `skipped ${iso(nominal)} (${reason})`);
    if (!reason) complain('G5', `skipped ${iso(nominal)} for no reason`);
    if (!this.names(nominal)) {
      complain('G5', `skipped ${iso(nominal)}, which is not its time`);
    }
    if (at !== undefined && this.#runAt(lastNominal) > at) {
      complain('G5', `skipped ${iso(lastNominal)} before it had come`);
    }
    for (const each of this.#occurrences) {
      if (each < nominal || each > lastNominal) continue;
      this.#end(each, `skipped (${reason})`, complain);
      this.reach(each);
    }
  }

  /** @param isThere whether there still is such a task */
  spawn(
    { nominal, child }: EventOf<'spawned'>,
    { maxRunning = Number.POSITIVE_INFINITY }: DeclaredTask,
    isThere: (id: string) => boolean,
    complain: Complain,
  ): void {
    this.#end(nominal, 'spawned', complain);
    this.reach(nominal);
    if (child === undefined) return;
    for (const other of this.#children) if (!isThere(other)) this.#children.delete(other);
    this.#children.add(child);
    const { size } = this.#children;
    if (size <= maxRunning) return;
    complain('G5', `was given ${size} tasks at once, and was to have at most ${maxRunning}`);
  }

  /** Nothing more comes of it. */
  end(complain: Complain): void {
    const next = this.#next;
    if (next !== undefined) {
      complain('G1', `has ended, and nothing says what became of ${iso(next)}`);
      this.#missing.add(next);
    }
    this.cutShort();
  }

  /** What only the whole of it shows. */
  judge(complain: Complain): void {
    for (const run of this.#acknowledged) {
      const { outcome = 'succeeded', at = Number.POSITIVE_INFINITY } = run;
      const found = this.#recorded.find((each) => each.outcome === outcome && isRunOf(each, run));
      if (!found) {
        complain('G1', `had ${describe(run)} acknowledged, and it is not in the history`);
      } else if (found.at !== undefined && found.at > at) {
        complain('G1', `had ${describe(run)} acknowledged before it was recorded`);
      }
    }
    for (const nominal of this.#occurrences) {
      const ends = this.#ends.get(nominal) ?? [];
      if (ends.length > 1) {
        complain('G2', `ended ${ends.length} times for ${iso(nominal)}: ${ends.join()}`);
      }
    }
    this.#judgeReached(complain);
    if (!this.#isCutShort)
      for (const nominal of this.#task.occurrences) this.#need(nominal, complain);
  }

  #judgeReached(complain: Complain): void {
    for (const nominal of this.#occurrences) {
      if (nominal < this.#reached) this.#need(nominal, complain);
    }
  }

  /** Complains of an occurrence that has not come to an end, once. */
  #need(nominal: number, complain: Complain): void {
    if (this.#ends.has(nominal) || this.#missing.has(nominal)) return;
    this.#missing.add(nominal);
    complain('G1', `nothing says what became of ${iso(nominal)}`);
  }

  /** The first occurrence that has not come to an end. */
  get #next(): number | undefined {
    return [...this.#occurrences].find((nominal) => !this.#ends.has(nominal));
  }

  #runAt(nominal: number): number {
    return this.#task.runAt?.(nominal) ?? nominal;
  }

  /** When the next attempt at an occurrence is to be made. */
  #dueAt(nominal: number): number {
    return this.#attemptsAt(nominal).at(-1)?.retryAt ?? this.#runAt(nominal);
  }

  #attemptsAt(nominal: number): RecordedOutcome[] {
    return this.#recorded.filter((outcome) => outcome.nominal === nominal);
  }

  #end(nominal: number, how: string, complain: Complain): void {
    this.#ends.set(nominal, [...(this.#ends.get(nominal) ?? []), how]);
    if (this.names(nominal)) return;
    complain('G4', `${how} for ${iso(nominal)}, which is not its time`);
  }

  /** There was such a run, and it ended so. */
  #judgeRun(outcome: RecordedOutcome, complain: Complain): void {
    const { token, code, startedAt } = outcome;
    // What was given up before it began, or vanished with its worker, has no run that anybody saw to its end.
    if (code !== undefined && startedAt === undefined) return;
    const isOwn = outcome.outcome === 'failed' && code === undefined;
    const [seen, what] =
      outcome.outcome === 'succeeded'
        ? [this.#returned, 'ended']
        : isOwn
          ? [this.#threw, 'failed in']
          : [this.#started, 'began'];
    if (seen.some((run) => isRunOf(outcome, run))) return;
    complain('G2', `${outcome.outcome} under token ${token}, and no worker ${what} such a run`);
  }

  /** An attempt follows the one before it, at its time, and ends as planned. */
  #judgeAttempt(outcome: RecordedOutcome, task: DeclaredTask, complain: Complain): void {
    const { attempt = 0, token = 0, nominal, startedAt, child } = outcome;
    const which = `attempt ${attempt} for ${iso(nominal)}`;
    const before = this.#attemptsAt(nominal);
    const previous = before.at(-1);
    const isLater = token > (previous?.token ?? 0);
    // What returned too late to be settled may be recorded after the run that took over was interrupted.
    const isOther = previous?.outcome === 'interrupted' && token !== previous.token;
    if (previous?.child === child && !isLater && !isOther) {
      complain('G2', `${which} had token ${token}, which is no later than the one before`);
    }
    if (startedAt !== undefined && startedAt < this.#dueAt(nominal)) {
      complain('G4', `${which} began early, at ${iso(startedAt)}`);
    }
    const { attempts, failures } = task;
    if (attempts === undefined) return;
    // An edit may come between two attempts.
    const first = this.#former?.names(nominal) ? (before[0] ?? outcome).attempt : 1;
    const due = (first ?? 1) + before.filter(({ outcome }) => outcome === 'failed').length;
    if (attempt !== due) complain('G3', `${which} is number ${due}`);
    if (failures === undefined || isExcused(outcome, task)) return;
    const isFailure = attempt <= failures;
    if (outcome.outcome !== (isFailure ? 'failed' : 'succeeded') || outcome.code !== undefined) {
      const to = isFailure ? 'fail' : 'succeed';
      complain('G3', `${which} ${outcome.outcome} (${outcome.code}), and was to ${to}`);
    } else if (isFailure && (outcome.retryAt !== undefined) !== attempt < attempts) {
      complain('G3', `${which} was ${attempt < attempts ? '' : 'not '}to be followed by another`);
    }
  }
}

/** Whether an outcome is not what the handler makes of it. */
function isExcused({ outcome, code, reason }: RecordedOutcome, task: DeclaredTask): boolean {
  if (code === 'SCHED_DELIVERY_LOST') return task.isAtMostOnce === true;
  return outcome === 'interrupted' && (reason !== 'superseded' || maySkipFor(task, reason));
}

function maySkipFor({ maySkip = false }: DeclaredTask, reason: string): boolean {
  return typeof maySkip === 'boolean' ? maySkip : maySkip.includes(reason);
}

function isEnd({ outcome, reason, retryAt }: RecordedOutcome): boolean {
  return outcome === 'interrupted' ? reason === 'superseded' : retryAt === undefined;
}

function isSuccess({ outcome, nominal }: EventOf<'acknowledged'>, of: number): boolean {
  return (outcome ?? 'succeeded') === 'succeeded' && nominal === of;
}

function isRunOf({ token, nominal, attempt, child }: RecordedOutcome, run: HistoryRun): boolean {
  return (
    token === run.token &&
    nominal === run.nominal &&
    (attempt ?? run.attempt) === run.attempt &&
    child === run.child
  );
}

function describe({ token, nominal, attempt }: HistoryRun): string {
  return `attempt ${attempt} for ${iso(nominal)} under token ${token}`;
}

export const iso = (time: number) => new Date(time).toISOString();
