import type { DeclaredTask, HistoryEvent, HistoryRun, RecordedOutcome } from './run-history.js';
import type { Guarantee } from './types.js';

/** A promise that was broken. */
export interface Violation {
  readonly guarantee: Guarantee;
  /** The task, or the worker. */
  readonly id: string;
  /** What happened to it, as a sentence that goes on from its id. */
  readonly sentence: string;
}

/**
 * Judges what became of tasks by what users are promised, whoever ran them and however they died.
 *
 * @param history everything that was seen, in the order in which it happened; `recorded` outcomes of a task in the
 *   order of its history, oldest first
 * @param declared what was to happen; a task that is not among them must not run
 * @returns what contradicts the promises; nothing where all were kept
 */
export function checkHistory(
  history: readonly HistoryEvent[],
  declared: readonly DeclaredTask[],
): Violation[] {
  const violations: Violation[] = [];
  const tasks = new Map(declared.map((task) => [task.id, new TaskStory(task)]));
  const complainOf =
    (id: string): Complain =>
    (guarantee, sentence) =>
      violations.push({ guarantee, id, sentence });
  const leases = new Leases();
  for (const event of history) {
    if (event.type === 'refused') {
      judgeRefusal(event, complainOf(event.owner));
      continue;
    }
    const complain = complainOf(event.id);
    const task = tasks.get(event.id);
    if (!task) {
      complain('G1', `is ${event.type}, and was never declared`);
      continue;
    }
    leases.judge(event, complain);
    task.note(event, complain);
  }
  for (const [id, task] of tasks) task.judge(complainOf(id));
  return violations;
}

type Complain = (guarantee: Guarantee, sentence: string) => void;

/** Stores may fail while they cannot be reached, and only so. */
function judgeRefusal(
  { call, code }: Extract<HistoryEvent, { type: 'refused' }>,
  complain: Complain,
): void {
  if (code === 'SCHED_STORE_UNAVAILABLE' || code === 'SCHED_STORE_TIMEOUT') return;
  complain('G8', `was refused ${call} with ${code}`);
}

/** One owner at a time: tokens grow, no lease is given out while another is live, and runs need one. */
class Leases {
  readonly #highest = new Map<string, number>();
  readonly #live = new Map<string, { readonly token: number; readonly expiresAt: number }>();
  readonly #started = new Map<string, number>();
  #hasClaims = false;

  judge(event: Exclude<HistoryEvent, { type: 'refused' }>, complain: Complain): void {
    if (!('token' in event) || event.token === undefined) return;
    const { token } = event;
    const id = ('child' in event && event.child) || event.id;
    const live = this.#live.get(id);
    if (event.type === 'claimed') {
      this.#hasClaims = true;
      if (token <= (this.#highest.get(id) ?? 0)) {
        complain('G2', `was claimed under token ${token}, and had a later one`);
      }
      if (live && live.expiresAt > event.at) {
        complain('G2', `was claimed under token ${token} while ${live.token} was live`);
      }
      this.#highest.set(id, token);
      this.#live.set(id, event);
    } else if (event.type === 'extended') {
      if (live?.token === token) this.#live.set(id, event);
      else complain('G2', `had its lease extended under token ${token}, which was not valid`);
    } else if (event.type === 'freed') {
      if (live?.token === token) this.#live.delete(id);
      else complain('G2', `was given up under token ${token}, which was not valid`);
    } else if (event.type === 'started') {
      const last = this.#started.get(id) ?? 0;
      if (token === last) complain('G2', `began twice under token ${token}`);
      if (token < last) complain('G2', `began under token ${token} after it had under ${last}`);
      this.#started.set(id, Math.max(token, last));
      const { at } = event;
      if (!this.#hasClaims || at === undefined) return;
      if (live?.token !== token || live.expiresAt <= at) {
        complain('G2', `began under token ${token}, which was not valid`);
      }
    }
  }
}

/** What is known of one task. */
class TaskStory {
  readonly #task: DeclaredTask;
  readonly #occurrences: ReadonlySet<number>;
  readonly #started: HistoryRun[] = [];
  readonly #returned: HistoryRun[] = [];
  readonly #threw: HistoryRun[] = [];
  readonly #acknowledged: HistoryRun[] = [];
  readonly #recorded: RecordedOutcome[] = [];
  readonly #ends = new Map<number, string[]>();

  constructor(task: DeclaredTask) {
    this.#task = task;
    this.#occurrences = new Set([...task.occurrences, ...(task.open ?? [])]);
  }

  note(event: Exclude<HistoryEvent, { type: 'refused' }>, complain: Complain): void {
    if (event.type === 'started') {
      this.#judgeStart(event, complain);
      this.#started.push(event);
    } else if (event.type === 'returned') this.#returned.push(event);
    else if (event.type === 'threw') this.#threw.push(event);
    else if (event.type === 'acknowledged') this.#acknowledged.push(event);
    else if (event.type === 'recorded') this.#recorded.push(event);
    else if (event.type === 'spawned') this.#end(event.nominal, 'spawned', complain);
    else if (event.type === 'left') {
      const { state, leasedTo } = event;
      if (state !== 'finished' && state !== 'failed') complain('G1', `is still ${state}`);
      if (leasedTo !== null) complain('G1', `is still leased to ${leasedTo}`);
    }
  }

  /** What only the whole of it shows. */
  judge(complain: Complain): void {
    for (const run of this.#acknowledged) {
      if (this.#recorded.some((outcome) => isSuccessOf(outcome, run))) continue;
      complain('G1', `had ${describe(run)} acknowledged, and it is not in the history`);
    }
    const before = new Map<number, RecordedOutcome[]>();
    for (const outcome of this.#recorded) {
      const { nominal } = outcome;
      if (outcome.outcome === 'skipped') {
        this.#judgeSkip(outcome, complain);
        continue;
      }
      const previous = before.get(nominal) ?? [];
      before.set(nominal, [...previous, outcome]);
      this.#judgeRun(outcome, complain);
      this.#judgeAttempt(outcome, previous, complain);
      if (isEnd(outcome)) this.#end(nominal, outcome.outcome, complain);
    }
    for (const nominal of this.#occurrences) {
      const ends = this.#ends.get(nominal) ?? [];
      if (ends.length > 1) {
        complain('G2', `ended ${ends.length} times for ${iso(nominal)}: ${ends.join()}`);
      }
    }
    for (const nominal of this.#task.occurrences) {
      if (!this.#ends.has(nominal)) complain('G1', `nothing says what became of ${iso(nominal)}`);
    }
  }

  #judgeStart(run: HistoryRun & { readonly at?: number | undefined }, complain: Complain): void {
    const { nominal, attempt, at } = run;
    const { isAtMostOnce, attempts = Number.POSITIVE_INFINITY } = this.#task;
    if (!this.#occurrences.has(nominal)) {
      complain('G4', `began for ${iso(nominal)}, which is not its time`);
    }
    // A success that the worker has not heard of may have been accepted at any time since.
    if (this.#acknowledged.some((other) => other.nominal === nominal && other.token < run.token)) {
      complain('G2', `began ${describe(run)} after a success was accepted`);
    }
    if (at !== undefined && at < nominal) complain('G4', `began ${describe(run)} early`);
    if (attempt > attempts) complain('G3', `began attempt ${attempt} of at most ${attempts}`);
    if (isAtMostOnce && this.#started.some((other) => other.nominal === nominal)) {
      complain('G3', `began twice for ${iso(nominal)}, and was to at most once`);
    }
  }

  #end(nominal: number, how: string, complain: Complain): void {
    this.#ends.set(nominal, [...(this.#ends.get(nominal) ?? []), how]);
    if (this.#occurrences.has(nominal)) return;
    complain('G4', `${how} for ${iso(nominal)}, which is not its time`);
  }

  /** Skipping needs leave, and a reason. */
  #judgeSkip({ nominal, lastNominal = nominal, reason }: RecordedOutcome, complain: Complain) {
    if (!this.#task.maySkip) complain('G5', `skipped ${iso(nominal)} (${reason})`);
    if (!reason) complain('G5', `skipped ${iso(nominal)} for no reason`);
    if (!this.#occurrences.has(nominal)) {
      complain('G5', `skipped ${iso(nominal)}, which is not its time`);
    }
    for (const each of this.#occurrences) {
      if (each >= nominal && each <= lastNominal) {
        this.#end(each, `skipped (${reason})`, complain);
      }
    }
  }

  /** There was such a run, and it ended so. */
  #judgeRun(outcome: RecordedOutcome, complain: Complain): void {
    const { token, code, startedAt } = outcome;
    // What vanished with its worker began, and nobody saw how it ended.
    if (code === 'SCHED_DELIVERY_LOST' && startedAt === undefined) return;
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
  #judgeAttempt(
    outcome: RecordedOutcome,
    before: readonly RecordedOutcome[],
    complain: Complain,
  ): void {
    const { attempt = 0, token = 0, nominal, startedAt, child } = outcome;
    const which = `attempt ${attempt} for ${iso(nominal)}`;
    const previous = before.at(-1);
    if (previous?.child === child && token <= (previous?.token ?? 0)) {
      complain('G2', `${which} had token ${token}, which is no later than the one before`);
    }
    const earliest = previous?.retryAt ?? nominal;
    if (startedAt !== undefined && startedAt < earliest) {
      complain('G4', `${which} began early, at ${iso(startedAt)}`);
    }
    const { attempts, failures } = this.#task;
    if (attempts === undefined) return;
    const due = 1 + before.filter(({ outcome }) => outcome === 'failed').length;
    if (attempt !== due) complain('G3', `${which} is number ${due}`);
    if (failures === undefined || this.#isExcused(outcome)) return;
    const isFailure = attempt <= failures;
    if (outcome.outcome !== (isFailure ? 'failed' : 'succeeded') || outcome.code !== undefined) {
      const to = isFailure ? 'fail' : 'succeed';
      complain('G3', `${which} ${outcome.outcome} (${outcome.code}), and was to ${to}`);
    } else if (isFailure && (outcome.retryAt !== undefined) !== attempt < attempts) {
      complain('G3', `${which} was ${attempt < attempts ? '' : 'not '}to be followed by another`);
    }
  }

  /** Whether an outcome is not what the handler makes of it. */
  #isExcused({ outcome, code, reason }: RecordedOutcome): boolean {
    const { isAtMostOnce, maySkip } = this.#task;
    if (code === 'SCHED_DELIVERY_LOST') return isAtMostOnce === true;
    return outcome === 'interrupted' && (reason !== 'superseded' || maySkip === true);
  }
}

function isEnd({ outcome, reason, retryAt }: RecordedOutcome): boolean {
  return outcome === 'interrupted' ? reason === 'superseded' : retryAt === undefined;
}

function isRunOf({ token, nominal, attempt, child }: RecordedOutcome, run: HistoryRun): boolean {
  return (
    token === run.token &&
    nominal === run.nominal &&
    (attempt ?? run.attempt) === run.attempt &&
    child === run.child
  );
}

function isSuccessOf(outcome: RecordedOutcome, run: HistoryRun): boolean {
  return outcome.outcome === 'succeeded' && isRunOf(outcome, run);
}

function describe({ token, nominal, attempt }: HistoryRun): string {
  return `attempt ${attempt} for ${iso(nominal)} under token ${token}`;
}

const iso = (time: number) => new Date(time).toISOString();
