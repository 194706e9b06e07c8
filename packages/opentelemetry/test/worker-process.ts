/** Runs tasks of an SQLite file until one has run, and prints the spans of that. */

import { context, propagation } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { createScheduler, defineTask } from '@sched/core';
import { instrument } from '@sched/opentelemetry';
import { SqliteDataStore } from '@sched/sqlite';

const [path = '', producer = 'link'] = process.argv.slice(2);
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());
const exporter = new InMemorySpanExporter();
const tracerProvider = new TracerProvider({
  spanProcessors: [new SimpleSpanProcessor({ exporter })],
});
const work = defineTask<string>('work', { handler: () => {} });
const scheduler = createScheduler({ store: new SqliteDataStore({ path }), tasks: [work] });
instrument(scheduler, { tracerProvider, producer: producer as 'link' | 'parent' });
const settled = new Promise((resolve) => scheduler.on('succeeded', resolve));
await scheduler.start();
await settled;
await scheduler.stop();
const [span] = exporter.getFinishedSpans();
const { traceId } = span?.spanContext() ?? {};
const links = span?.links.map(({ context: { traceId, spanId } }) => ({ traceId, spanId }));
const parent = span?.parentSpanContext?.spanId;
process.stdout.write(
  JSON.stringify({ name: span?.name, kind: span?.kind, traceId, links, parent }),
);
