import { type MeterProvider, metrics, type TracerProvider, trace } from '@opentelemetry/api';
import { checkMembers, SchedError, type Scheduler } from '@sched/core';
import { observeTasks, recordEvents } from './metrics.js';
import { scope } from './names.js';
import { tracing } from './tracing.js';

export interface InstrumentOptions {
  /** Default: the global one. */
  readonly tracerProvider?: TracerProvider;
  /** Default: the global one. */
  readonly meterProvider?: MeterProvider;
  /**
   * How the span of an attempt refers to the call that scheduled its task. `link`, the default: it begins a trace of its
   * own, with a link. `parent`: it is in the trace of that call, however much later it runs and however often.
   */
  readonly producer?: 'link' | 'parent';
  /**
   * How old the counts of tasks by state may be, in milliseconds. They are counted when metrics are collected and the last
   * counts are older. 0 leaves them out: counting a million tasks costs a store some work. Default 60,000.
   */
  readonly countTasksMs?: number;
}

const optionNames = [
  'tracerProvider',
  'meterProvider',
  'producer',
  'countTasksMs',
] satisfies readonly (keyof InstrumentOptions)[];

/**
 * Makes spans and metrics of what a scheduler does. Call it before `scheduler.start()`, and before other middleware that is
 * to be within the spans.
 *
 * @returns what ends the metrics
 * @throws SchedError `SCHED_ARGUMENT_INVALID` when an option is not valid, or the scheduler has been started
 */
export function instrument(scheduler: Scheduler, options: InstrumentOptions = {}): () => void {
  checkMembers('The options of instrument', options, optionNames);
  const {
    tracerProvider = trace.getTracerProvider(),
    meterProvider = metrics.getMeterProvider(),
    producer = 'link',
    countTasksMs = 60_000,
  } = options;
  if (producer !== 'link' && producer !== 'parent') {
    throw new SchedError('SCHED_ARGUMENT_INVALID', 'producer has to be link or parent.');
  }
  if (!(countTasksMs >= 0)) {
    throw new SchedError('SCHED_ARGUMENT_INVALID', 'countTasksMs has to be 0 or more.');
  }
  scheduler.use(tracing(tracerProvider.getTracer(scope), producer));
  const meter = meterProvider.getMeter(scope);
  const stops = [recordEvents(scheduler, meter)];
  if (countTasksMs > 0) stops.push(observeTasks(scheduler, meter, countTasksMs));
  return () => {
    for (const stop of stops) stop();
  };
}
