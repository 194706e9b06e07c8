import type { RunInfo } from '@sched/core';
import { type Evidence, historyLimit } from './campaign.ts';
import type { JournalEntry, Run } from './journal.ts';
import type { Expectation } from './tasks.ts';

type RunEntry = Exclude<JournalEntry, { readonly kind: 'storeError' }>;

/** What contradicts the promises; nothing where all were kept. */
export function judge(evidence: Evidence): string[] {
  // Whatever else there is follows from it.
  if (evidence.problems.length > 0) return [...evidence.problems];
  const complaints: string[] = [];
  const begun = new Map<string, RunEntry[]>();
  for (const entry of evidence.journal) {
    if (entry.kind === 'storeError') judgeStoreError(entry, complaints);
    else {
      const task = parentOf(entry.run.id);
      begun.set(task, [...(begun.get(task) ?? []), entry]);
    }
  }
  const expected = new Set(evidence.expected.map(({ id }) => id));
  for (const id of begun.keys()) {
    if (!expected.has(id)) complaints.push(`${id}: ran, and was never scheduled`);
  }
  for (const expectation of evidence.expected) {
    const { id } = expectation;
    const complain = (what: string) => complaints.push(`${id}: ${what}`);
    const history = evidence.histories.get(id) ?? [];
    judgeRuns(begun.get(id) ?? [], history, expectation, complain);
    judgeHistory(begun.get(id) ?? [], history, expectation, complain);
  }
  for (const { id, state, lease } of evidence.tasks) {
    if (!expected.has(id)) complaints.push(`${id}: was left over`);
    if (state !== 'finished' && state !== 'failed') complaints.push(`${id}: is still ${state}`);
    if (lease) complaints.push(`${id}: is still leased to ${lease.owner}`);
  }
  return complaints;
}

type Complain = (what: string) => void;

/** An occurrence that was given a task of its own is called `<task>@<nominal time>`. */
const parentOf = (id: string) => id.replace(/@\d+$/, '');

/** Stores may fail while their server is gone, and only so. */
function judgeStoreError(
  { worker, call, code }: Extract<JournalEntry, { kind: 'storeError' }>,
  complaints: string[],
) {
  if (code === 'SCHED_STORE_UNAVAILABLE' || code === 'SCHED_STORE_TIMEOUT') return;
  complaints.push(`${worker}: ${call} failed with ${code}`);
}

/** What workers did: in the order of tokens, once each, and nothing after it was done. */
function judgeRuns(
  entries: readonly RunEntry[],
  history: readonly RunInfo[],
  { isAtMostOnce }: Expectation,
  complain: Complain,
) {
  const lastTokens = new Map<string, number>();
  const started = new Set<number>();
  for (const { kind, run } of entries) {
    const { id, token, nominal } = run;
    if (kind === 'recorded' && !history.some((info) => isSuccessOf(info, run))) {
      complain(`the success of ${describe(run)} was acknowledged, and is not in the history`);
    }
    if (kind !== 'began') continue;
    const last = lastTokens.get(id) ?? 0;
    if (token <= last) complain(`began under token ${token} after it had begun under ${last}`);
    lastTokens.set(id, token);
    if (isAtMostOnce && started.has(nominal)) complain(`began twice for ${iso(nominal)}`);
    started.add(nominal);
    const isDone = ({ outcome, token: other = 0, ...info }: RunInfo) =>
      outcome === 'succeeded' && info.nominal.getTime() === nominal && other < token;
    if (history.some(isDone)) complain(`${describe(run)} began after a success was accepted`);
  }
}

/** What the store accepted: an end for each occurrence, one only, and by a run that there was. */
function judgeHistory(
  entries: readonly RunEntry[],
  history: readonly RunInfo[],
  expectation: Expectation,
  complain: Complain,
) {
  if (history.length >= historyLimit) complain('has a history that may not be whole');
  const ends = new Map<number, string[]>();
  const attempts = new Map<number, RunInfo[]>();
  const occurrences = new Set(expectation.occurrences);
  const end = (nominal: number, how: string) => {
    ends.set(nominal, [...(ends.get(nominal) ?? []), how]);
    if (!occurrences.has(nominal)) complain(`${how} for ${iso(nominal)}, which is not its time`);
  };
  for (const info of history) {
    const nominal = info.nominal.getTime();
    if (info.outcome === 'skipped') {
      const last = info.lastNominal?.getTime() ?? nominal;
      for (const each of occurrences) {
        if (each >= nominal && each <= last) end(each, `skipped (${info.reason})`);
      }
      if (!expectation.maySkip) complain(`skipped ${iso(nominal)} (${info.reason})`);
      continue;
    }
    const before = attempts.get(nominal) ?? [];
    attempts.set(nominal, [...before, info]);
    judgeAttempt(info, before, expectation, complain);
    judgeRecord(info, entries, complain);
    if (info.retryAt === undefined) end(nominal, info.outcome);
  }
  for (const nominal of occurrences) {
    const { length } = ends.get(nominal) ?? [];
    if (length === 0) complain(`nothing says what became of ${iso(nominal)}`);
    if (length > 1) complain(`ended ${length} times for ${iso(nominal)}: ${ends.get(nominal)}`);
  }
}

/** An attempt follows the one before it, at its time, and ends as planned. */
function judgeAttempt(
  { attempt = 0, outcome, error, reason, startedAt, nominal, retryAt, token = 0 }: RunInfo,
  before: readonly RunInfo[],
  { failures, attempts, isAtMostOnce, maySkip }: Expectation,
  complain: Complain,
) {
  const which = `attempt ${attempt} for ${iso(nominal)}`;
  const previous = before.at(-1);
  if (attempt !== before.length + 1) complain(`${which} is number ${before.length + 1}`);
  if (token <= (previous?.token ?? 0)) complain(`${which} had token ${token}, which is no later`);
  const earliest = previous?.retryAt ?? nominal;
  if (startedAt && startedAt < earliest) complain(`${which} began early, at ${iso(startedAt)}`);
  if (error?.code === 'SCHED_DELIVERY_LOST' && isAtMostOnce) return;
  if (outcome === 'interrupted' && reason === 'superseded' && maySkip) return;
  const isFailure = attempt <= failures;
  const isPlanned = isFailure ? error?.message === 'as planned' : outcome === 'succeeded';
  if (!isPlanned) complain(`${which} ${outcome}: ${error?.message ?? 'it was to fail'}`);
  if (isFailure && (retryAt !== undefined) !== attempt < attempts) {
    complain(`${which} was ${attempt < attempts ? '' : 'not '}to be followed by another`);
  }
}

/** There was such a run, and where it succeeded, it came to its end. */
function judgeRecord(info: RunInfo, entries: readonly RunEntry[], complain: Complain) {
  if (!info.startedAt) return;
  const nominal = info.nominal.getTime();
  const runs = entries.filter(
    ({ run }) =>
      run.token === info.token && run.nominal === nominal && run.attempt === info.attempt,
  );
  const kind = info.outcome === 'succeeded' ? 'ended' : 'began';
  if (runs.some((entry) => entry.kind === kind)) return;
  complain(`${info.outcome} under token ${info.token}, and no worker ${kind} such a run`);
}

function isSuccessOf({ outcome, token, nominal }: RunInfo, run: Run): boolean {
  return outcome === 'succeeded' && token === run.token && nominal.getTime() === run.nominal;
}

function describe({ id, token, nominal, attempt }: Run): string {
  return `attempt ${attempt} of ${id} for ${iso(nominal)} under token ${token}`;
}

const iso = (time: number | Date) => new Date(time).toISOString();
