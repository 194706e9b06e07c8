import {
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { Middleware, RunContext, ScheduleCall } from '@sched/core';
import { attribute, errorType, system } from './names.js';

/** Middleware that makes a span of each call that schedules, and of each attempt. */
export function tracing(tracer: Tracer, producer: 'link' | 'parent'): Middleware {
  return {
    schedule(call, next) {
      const [first] = call.tasks;
      const span = tracer.startSpan(`schedule ${destinationOf(call) ?? 'tasks'}`, {
        kind: SpanKind.PRODUCER,
        attributes: {
          [attribute.system]: system,
          [attribute.operation]: 'schedule',
          [attribute.operationType]: 'send',
          [attribute.store]: call.store,
          [attribute.destination]: destinationOf(call),
          ...(call.tasks.length === 1 && first
            ? { [attribute.messageId]: first.id, [attribute.task]: first.name }
            : { [attribute.batchSize]: call.tasks.length }),
        },
      });
      const inside = trace.setSpan(context.active(), span);
      for (const { headers } of call.tasks) propagation.inject(inside, headers);
      return within(inside, span, next);
    },
    run(run, next) {
      const sent = propagation.extract(ROOT_CONTEXT, run.headers);
      const outside = producer === 'parent' ? sent : ROOT_CONTEXT;
      const origin = trace.getSpanContext(sent);
      const span = tracer.startSpan(
        `process ${run.task.queue}`,
        {
          kind: SpanKind.CONSUMER,
          attributes: attributesOf(run),
          ...(origin && producer === 'link' && { links: [{ context: origin }] }),
        },
        outside,
      );
      return within(trace.setSpan(withBaggage(sent, outside), span), span, next);
    },
  };
}

async function within<T>(inside: Context, span: Span, work: () => Promise<T>): Promise<T> {
  try {
    return await context.with(inside, work);
  } catch (error) {
    span.setAttribute(attribute.errorType, errorType(error));
    span.recordException(error instanceof Error ? error : String(error));
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

/** Baggage travels whether the trace does or not. */
function withBaggage(from: Context, to: Context): Context {
  const baggage = propagation.getBaggage(from);
  return baggage ? propagation.setBaggage(to, baggage) : to;
}

/** The queue, if it is the same for all. */
function destinationOf({ tasks }: ScheduleCall): string | undefined {
  const queues = new Set(tasks.map(({ queue }) => queue));
  const [queue] = queues;
  return queues.size === 1 ? queue : undefined;
}

function attributesOf({ task, attempt, nominal }: RunContext) {
  return {
    [attribute.system]: system,
    [attribute.operation]: 'process',
    [attribute.operationType]: 'process',
    [attribute.destination]: task.queue,
    [attribute.messageId]: task.id,
    [attribute.task]: task.name,
    [attribute.attempt]: attempt,
    [attribute.nominal]: nominal.toISOString(),
  };
}
