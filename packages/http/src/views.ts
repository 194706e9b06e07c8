/** Tasks and runs as JSON. */

import type { LogLine, RunInfo, RunReport, TaskClient, TaskInfo } from '@sched/core';
import * as v from 'valibot';
import { errorView, withoutSecrets } from './problem.js';
import { triggerInWords } from './words.js';

const moment = v.pipe(v.string(), v.isoTimestamp());
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

export const stateSchema = v.picklist(['scheduled', 'running', 'paused', 'finished', 'failed']);

const toldEntries = {
  progress: v.optional(
    v.pipe(v.number(), v.description('How far the handler said that it had come, from 0 to 1.')),
  ),
  log: v.optional(
    v.pipe(
      v.array(v.strictObject({ at: moment, text: v.string() })),
      v.description('The last lines that the handler logged, the oldest first.'),
    ),
  ),
};

const runErrorSchema = v.strictObject({
  name: v.string(),
  message: v.string(),
  code: v.optional(v.string()),
});

export const runSchema = v.strictObject({
  outcome: v.picklist(['succeeded', 'failed', 'interrupted', 'skipped']),
  nominal: v.pipe(moment, v.description('The occurrence; of several skipped ones, the first.')),
  lastNominal: v.optional(v.pipe(moment, v.description('The last of several skipped ones.'))),
  count: v.optional(v.pipe(count, v.description('How many were skipped, counted up to 1,000.'))),
  reason: v.optional(
    v.pipe(
      v.picklist(['missed', 'overlap', 'paused', 'superseded']),
      v.description('Why it was skipped or interrupted.'),
    ),
  ),
  startedAt: v.optional(moment),
  endedAt: moment,
  attempt: v.optional(count),
  token: v.optional(count),
  owner: v.optional(v.string()),
  error: v.optional(runErrorSchema),
  ...toldEntries,
  result: v.pipe(
    v.optional(v.unknown()),
    v.description('What the handler returned, where results are kept.'),
  ),
  resultWithheld: v.optional(
    v.pipe(
      v.literal(true),
      v.description('The result is not shown, because payloads are redacted.'),
    ),
  ),
  retryAt: v.optional(moment),
  childId: v.optional(
    v.pipe(v.string(), v.description('The task that ran it, if it had its own.')),
  ),
});

export const policiesSchema = v.partial(
  v.strictObject({
    retry: v.strictObject({
      limit: count,
      backoff: v.picklist(['fixed', 'exponential']),
      minMs: count,
      maxMs: count,
      jitter: v.number(),
      whenExhausted: v.picklist(['continue', 'pause']),
    }),
    timeoutMs: v.nullable(count),
    overlap: v.strictObject({
      mode: v.picklist(['skip', 'queueOne', 'queueAll', 'allow', 'replace']),
      maxRunning: v.nullable(count),
    }),
    catchUp: v.strictObject({
      mode: v.picklist(['none', 'latest', 'all']),
      windowMs: v.nullable(count),
      limit: v.nullable(count),
      graceMs: count,
    }),
    delivery: v.picklist(['atLeastOnce', 'atMostOnce']),
    maxDeliveries: count,
    keepFinished: v.boolean(),
  }),
);

export const triggerSchema = v.strictObject({
  json: v.pipe(
    v.looseObject({ kind: v.string() }),
    v.description('Its stored form, which `trigger` of a new or changed task also takes.'),
  ),
  words: v.string(),
  timeZone: v.pipe(
    v.nullable(v.string()),
    v.description('Whose clock it uses; null where it has several, or none that is known here.'),
  ),
});

export const taskSchema = v.strictObject({
  id: v.string(),
  name: v.string(),
  queue: v.string(),
  group: v.nullable(v.string()),
  state: stateSchema,
  isPaused: v.boolean(),
  payload: v.optional(v.unknown()),
  payloadWithheld: v.optional(v.literal(true)),
  trigger: v.nullable(triggerSchema),
  declaredAt: v.nullable(moment),
  policies: v.pipe(
    policiesSchema,
    v.description(
      'In force. Where the server does not have the definition, only those given with the task.',
    ),
  ),
  runAt: v.nullable(moment),
  nominal: v.nullable(moment),
  attempt: count,
  lease: v.nullable(v.strictObject({ owner: v.string(), expiresAt: moment })),
  report: v.pipe(
    v.nullable(v.strictObject(toldEntries)),
    v.description('What the handler has told in the run in progress.'),
  ),
  lastRun: v.nullable(runSchema),
  parent: v.nullable(v.string()),
  error: v.nullable(v.strictObject({ code: v.string(), message: v.string() })),
});

export const occurrencesSchema = v.pipe(
  v.nullable(v.array(moment)),
  v.description('When it runs next. Null where the kind of its trigger is not known here.'),
);

/** A task that is shown by itself. */
export const shownSchema = v.strictObject({
  ...taskSchema.entries,
  occurrences: occurrencesSchema,
});

/** One run of a task, or several occurrences that did not run, as JSON. */
export type RunView = v.InferOutput<typeof runSchema>;
/** A trigger as JSON: its stored form, and the same in words. */
export type TriggerView = v.InferOutput<typeof triggerSchema>;
/** A task as JSON. */
export type TaskView = v.InferOutput<typeof taskSchema>;

/** Changes a payload before anybody sees it. Whatever it gives has to be JSON. */
export type Redact = (
  payload: unknown,
  task: {
    readonly id: string;
    readonly name: string;
    readonly queue: string;
    readonly group: string | null;
  },
) => unknown;

export function taskView(task: TaskInfo, redact: Redact | undefined): TaskView {
  const { id, name, queue, group, state, isPaused, attempt, parent, lease, error } = task;
  const { report, lastRun } = task;
  return {
    ...{ id, name, queue, group, state, isPaused },
    ...payloadOf(task, redact),
    trigger: task.trigger && triggerView(task.trigger),
    declaredAt: iso(task.declaredAt),
    policies: task.policies as TaskView['policies'],
    runAt: iso(task.runAt),
    nominal: iso(task.nominal),
    attempt,
    lease: lease && { owner: lease.owner, expiresAt: lease.expiresAt.toISOString() },
    report: report && reportView(report),
    lastRun: lastRun && runView(lastRun, redact),
    parent,
    error: error && errorView(error),
  };
}

function payloadOf(task: TaskInfo, redact: Redact | undefined) {
  const { id, name, queue, group, payload } = task;
  if (payload === undefined || !redact) return payload === undefined ? {} : { payload };
  try {
    return { payload: redact(payload, { id, name, queue, group }) };
  } catch {
    // Whoever cannot tell what is secret must not show it. The task is listed all the same.
    return { payloadWithheld: true as const };
  }
}

export function triggerView(json: NonNullable<TaskInfo['trigger']>): TriggerView {
  const { kind, timeZone = 'UTC' } = json;
  const hasZone = kind === 'cron' || (kind === 'every' && typeof json.every === 'object');
  return {
    json: { ...json },
    words: triggerInWords(json),
    timeZone: hasZone && typeof timeZone === 'string' ? timeZone : null,
  };
}

/** @param redact where there is one, results are withheld: it is made for payloads, and nobody has said what is secret here */
export function runView(run: RunInfo, redact: Redact | undefined): RunView {
  const { nominal, lastNominal, startedAt, endedAt, retryAt, error, log, result, ...rest } = run;
  return {
    ...rest,
    ...logView(log),
    ...(result !== undefined && (redact ? { resultWithheld: true as const } : { result })),
    nominal: nominal.toISOString(),
    endedAt: endedAt.toISOString(),
    ...(lastNominal && { lastNominal: lastNominal.toISOString() }),
    ...(startedAt && { startedAt: startedAt.toISOString() }),
    ...(retryAt && { retryAt: retryAt.toISOString() }),
    ...(error && { error: { ...error, message: withoutSecrets(error.message) } }),
  };
}

function reportView({ log, ...rest }: RunReport) {
  return { ...rest, ...logView(log) };
}

function logView(log: readonly LogLine[] | undefined) {
  if (!log) return {};
  return {
    log: log.map(({ at, text }) => ({
      at: new Date(at).toISOString(),
      text: withoutSecrets(text),
    })),
  };
}

/** When a task runs next, and then, and so on; null when the trigger cannot be read here. */
export function occurrencesOf(client: TaskClient, task: TaskInfo, limit: number): string[] | null {
  const { id, trigger, declaredAt, runAt, nominal } = task;
  if (runAt === null) return [];
  if (!trigger || !declaredAt || !nominal) return null;
  try {
    const read = client.readTrigger(trigger);
    const from = nominal.getTime() + 1;
    const others = limit > 1 ? client.preview(read, limit - 1, { id, declaredAt, from }) : [];
    // A one-off has no occurrence after its own, and gives that one again.
    return [runAt, ...others.filter((date) => date.getTime() >= from)].map((date) =>
      date.toISOString(),
    );
  } catch {
    return null;
  }
}

function iso(date: Date | null): string | null {
  return date?.toISOString() ?? null;
}
