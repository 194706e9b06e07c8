import type { BatchObservableResult, Meter } from '@opentelemetry/api';
import type { RunEvent, Scheduler, TaskEvent, TaskState } from '@sched/core';
import { attribute, secondsBuckets, system } from './names.js';

const states: readonly TaskState[] = ['scheduled', 'running', 'paused', 'finished', 'failed'];

/** Records what the events of a scheduler tell. @returns what ends it */
export function recordEvents(scheduler: Scheduler, meter: Meter): () => void {
  const seconds = { unit: 's', advice: { explicitBucketBoundaries: secondsBuckets } };
  const runs = meter.createCounter('sched.runs', {
    description: 'Attempts that have ended and are recorded, by outcome',
    unit: '{run}',
  });
  const duration = meter.createHistogram('messaging.process.duration', {
    description: 'How long handlers took',
    ...seconds,
  });
  const lateness = meter.createHistogram('sched.lateness', {
    description: 'How much later than they were due handlers were called',
    ...seconds,
  });
  const skipped = meter.createCounter('sched.skipped', {
    description: 'Occurrences that did not run, by reason',
    unit: '{occurrence}',
  });
  const lost = meter.createCounter('sched.leases.lost', {
    description: 'Leases that were lost while their tasks were held',
    unit: '{lease}',
  });
  const deferred = meter.createCounter('sched.deferred', {
    description: 'Tasks that nobody here could run and that were put off',
    unit: '{task}',
  });
  const abandoned = meter.createCounter('sched.abandoned', {
    description: 'Handlers that did not end after their signal was aborted',
    unit: '{run}',
  });
  const errors = meter.createCounter('sched.store.errors', {
    description: 'Calls of workers to a store that failed',
    unit: '{call}',
  });
  const ended = (
    outcome: 'succeeded' | 'failed' | 'retried' | 'interrupted',
    event: RunEvent & { readonly durationMs: number },
  ) => {
    const attributes = { ...attributesOf(event), [attribute.destination]: event.queue };
    runs.add(1, { ...attributes, [attribute.outcome]: outcome });
    duration.record(event.durationMs / 1000, { ...attributes, [attribute.system]: system });
  };
  const stops = [
    scheduler.on('started', (event) => {
      const attributes = { ...attributesOf(event), [attribute.destination]: event.queue };
      lateness.record(event.latenessMs / 1000, attributes);
    }),
    ...(['succeeded', 'failed', 'retried', 'interrupted'] as const).map((outcome) =>
      scheduler.on(outcome, (event) => ended(outcome, event)),
    ),
    scheduler.on('skipped', (event) => {
      skipped.add(event.count, { ...attributesOf(event), [attribute.reason]: event.reason });
    }),
    scheduler.on('lost', (event) => lost.add(1, attributesOf(event))),
    scheduler.on('deferred', (event) => deferred.add(1, attributesOf(event))),
    scheduler.on('abandoned', (event) => abandoned.add(1, attributesOf(event))),
    scheduler.on('storeError', ({ store, call, error }) => {
      errors.add(1, {
        [attribute.store]: store,
        [attribute.call]: call,
        [attribute.errorType]: error.code,
      });
    }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

/** Observes how many tasks are in each state. @returns what ends it */
export function observeTasks(scheduler: Scheduler, meter: Meter, maxAgeMs: number): () => void {
  const gauge = meter.createObservableGauge('sched.tasks', {
    description: 'Stored tasks by state',
    unit: '{task}',
  });
  let counts: ReadonlyMap<TaskState, number> = new Map();
  let countedAt = Number.NEGATIVE_INFINITY;
  const observe = async (result: BatchObservableResult) => {
    if (performance.now() - countedAt > maxAgeMs) {
      // One after another: a store has better to do.
      const fresh = new Map<TaskState, number>();
      for (const state of states) fresh.set(state, await scheduler.count({ state }));
      counts = fresh;
      countedAt = performance.now();
    }
    for (const [state, count] of counts) {
      result.observe(gauge, count, { [attribute.state]: state });
    }
  };
  meter.addBatchObservableCallback(observe, [gauge]);
  return () => meter.removeBatchObservableCallback(observe, [gauge]);
}

function attributesOf({ name, store }: TaskEvent) {
  return { [attribute.task]: name, [attribute.store]: store };
}
