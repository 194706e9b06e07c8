import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { createScheduler, defineTask, type SchedulerOptions } from '@sched/core';
import { createTestClock } from '@sched/core/testing';
import { MemoryDataStore } from '@sched/memory';
import { type InstrumentOptions, instrument, instrumentStore } from '@sched/opentelemetry';
import { SqliteDataStore } from '@sched/sqlite';
import { afterEach, expect, test } from 'vitest';
import { telemetry } from './telemetry.js';

const later: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of later.splice(0).reverse()) await end();
});

/** A scheduler in virtual time, instrumented. */
function createInstrumented(
  { tasks }: Pick<SchedulerOptions, 'tasks'>,
  options: InstrumentOptions = {},
) {
  const clock = createTestClock();
  const it = telemetry();
  later.push(() => it.shutdown());
  const store = new MemoryDataStore({ clock: clock.now });
  const scheduler = createScheduler({ store, clock, ...(tasks && { tasks }) });
  later.push(() => scheduler.stop());
  const { tracerProvider, meterProvider } = it;
  const end = instrument(scheduler, { tracerProvider, meterProvider, ...options });
  return { ...it, clock, scheduler, end };
}

test('a call that schedules is a producer, and each attempt a consumer in a trace of its own, with a link', async () => {
  let attempts = 0;
  const seen: unknown[] = [];
  const mail = defineTask('mail', {
    ...{ queue: 'default', retry: { limit: 1, min: '1s', jitter: 0 } },
    handler: ({ headers }) => {
      seen.push(trace.getActiveSpan()?.spanContext().spanId, headers.traceparent);
      if (attempts++ === 0) throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    },
  });
  const { clock, scheduler, spans, tracerProvider } = createInstrumented({ tasks: [mail] });
  await scheduler.start();
  const outer = tracerProvider.getTracer('test').startSpan('request');
  await context.with(trace.setSpan(ROOT_CONTEXT, outer), () =>
    scheduler.schedule(mail, { id: 'a' }),
  );
  outer.end();
  await clock.advance('10s');
  const of = (kind: SpanKind) => spans().filter((span) => span.kind === kind);
  const [sent, ...otherProducers] = of(SpanKind.PRODUCER);
  const [request] = of(SpanKind.INTERNAL);
  const [first, second, ...others] = of(SpanKind.CONSUMER);
  expect([...otherProducers, ...others]).toEqual([]);
  expect(sent).toMatchObject({
    name: 'schedule default',
    kind: SpanKind.PRODUCER,
    parentSpanContext: { spanId: request?.spanContext().spanId },
    attributes: {
      'messaging.system': 'sched',
      'messaging.operation.name': 'schedule',
      'messaging.operation.type': 'send',
      'messaging.destination.name': 'default',
      'messaging.message.id': 'a',
      'sched.task.name': 'mail',
    },
  });
  const producer = sent?.spanContext();
  for (const [index, span] of [first, second].entries()) {
    expect(span).toMatchObject({
      name: 'process default',
      kind: SpanKind.CONSUMER,
      links: [{ context: { traceId: producer?.traceId, spanId: producer?.spanId } }],
      attributes: {
        'messaging.operation.type': 'process',
        'messaging.message.id': 'a',
        'sched.attempt': index + 1,
      },
    });
    expect(span?.parentSpanContext).toBeUndefined();
    expect(span?.spanContext().traceId).not.toBe(producer?.traceId);
  }
  expect(first?.spanContext().traceId).not.toBe(second?.spanContext().traceId);
  expect(first?.status.code).toBe(SpanStatusCode.ERROR);
  expect(first?.attributes['error.type']).toBe('ECONNREFUSED');
  expect(first?.events).toMatchObject([{ name: 'exception' }]);
  expect(second?.status.code).toBe(SpanStatusCode.UNSET);
  const traceparent = `00-${producer?.traceId}-${producer?.spanId}-01`;
  const ids = [first, second].map((span) => span?.spanContext().spanId);
  expect(seen).toEqual([ids[0], traceparent, ids[1], traceparent]);
});

test('on request an attempt is in the trace of the call; baggage travels in any case', async () => {
  for (const producer of ['link', 'parent'] as const) {
    const seen: unknown[] = [];
    const task = defineTask('task', {
      handler: () => {
        seen.push(propagation.getActiveBaggage()?.getEntry('tenant')?.value);
      },
    });
    const { clock, scheduler, spans } = createInstrumented({ tasks: [task] }, { producer });
    await scheduler.start();
    const baggage = propagation.createBaggage({ tenant: { value: 'ada' } });
    await context.with(propagation.setBaggage(ROOT_CONTEXT, baggage), () =>
      scheduler.schedule(task, { id: 'a' }),
    );
    await clock.advance('1s');
    const of = (kind: SpanKind) => spans().find((span) => span.kind === kind);
    const [sent, run] = [of(SpanKind.PRODUCER), of(SpanKind.CONSUMER)];
    expect(run?.parentSpanContext?.spanId).toBe(
      producer === 'parent' ? sent?.spanContext().spanId : undefined,
    );
    expect(run?.links).toHaveLength(producer === 'parent' ? 0 : 1);
    expect(seen).toEqual(['ada']);
  }
});

test('many at once are one span, and a call that fails says so', async () => {
  const task = defineTask('task');
  const { scheduler, spans } = createInstrumented({ tasks: [task] });
  await scheduler.scheduleMany([
    { task, id: 'a', queue: 'one', in: '1h' },
    { task, id: 'b', queue: 'two', in: '1h' },
  ]);
  await expect(
    scheduler.schedule(task, { id: 'a', onConflict: 'error', in: '1h' }),
  ).rejects.toThrow();
  const [many, failed] = spans();
  expect(many?.name).toBe('schedule tasks');
  expect(many?.attributes['messaging.batch.message_count']).toBe(2);
  expect(failed?.attributes['error.type']).toBe('SCHED_TASK_EXISTS');
  expect(failed?.status.code).toBe(SpanStatusCode.ERROR);
});

test('context travels to another process', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sched-otel-'));
  later.push(() => rmSync(folder, { recursive: true }));
  const script = fileURLToPath(new URL('./worker-process.ts', import.meta.url));
  for (const producer of ['link', 'parent'] as const) {
    const path = join(folder, `${producer}.db`);
    const { tracerProvider, meterProvider, spans, shutdown } = telemetry();
    later.push(shutdown);
    const work = defineTask<string>('work');
    const client = createScheduler({ store: new SqliteDataStore({ path }), tasks: [work] });
    instrument(client, { tracerProvider, meterProvider });
    await client.schedule(work, { payload: 'a' });
    await client.stop();
    const { stdout } = await promisify(execFile)(process.execPath, [script, path, producer]);
    const [sent] = spans();
    const { traceId, spanId } = sent?.spanContext() ?? {};
    const run = JSON.parse(stdout);
    expect(run).toMatchObject({ name: 'process default', kind: SpanKind.CONSUMER });
    if (producer === 'parent') expect(run).toMatchObject({ traceId, parent: spanId, links: [] });
    else expect(run).toMatchObject({ links: [{ traceId, spanId }] });
  }
});

test('runs are counted by outcome, with how long they took and how late they were', async () => {
  const clock = createTestClock();
  let attempts = 0;
  const slow = defineTask('slow', {
    retry: { limit: 1, min: '1s', jitter: 0 },
    handler: async () => {
      await clock.sleep('2s');
      if (attempts++ < 2) throw new Error('not yet');
    },
  });
  const it = telemetry();
  later.push(it.shutdown);
  const store = new MemoryDataStore({ clock: clock.now });
  const scheduler = createScheduler({ store, clock, tasks: [slow] });
  later.push(() => scheduler.stop());
  const { tracerProvider, meterProvider } = it;
  instrument(scheduler, { tracerProvider, meterProvider });
  await scheduler.schedule(slow, { id: 'a', every: '1m', catchUp: { mode: 'none', grace: '1s' } });
  // Three occurrences are missed before it starts.
  await clock.advance('200s');
  await scheduler.start();
  await clock.advance('2m');
  const outcomes = (await it.points('sched.runs')).map(({ value, attributes }) => [
    attributes['sched.outcome'],
    value,
  ]);
  expect(Object.fromEntries(outcomes)).toEqual({ retried: 1, failed: 1, succeeded: 1 });
  const [skipped] = await it.points('sched.skipped');
  expect(skipped).toMatchObject({ value: 3, attributes: { 'sched.skip.reason': 'missed' } });
  const [duration] = await it.points('messaging.process.duration');
  expect(duration).toMatchObject({ value: { count: 3, sum: 6 } });
  const [lateness] = await it.points('sched.lateness');
  expect(lateness).toMatchObject({ value: { count: 3 } });
  expect(duration?.attributes).toEqual({
    ...{ 'messaging.system': 'sched', 'messaging.destination.name': 'default' },
    ...{ 'sched.task.name': 'slow', 'sched.store': 'default' },
  });
});

test('tasks are counted by state, and not again before the counts are old', async () => {
  const task = defineTask('task');
  const { scheduler, points } = createInstrumented({ tasks: [task] });
  const counts = async () =>
    Object.fromEntries(
      (await points('sched.tasks')).map(({ attributes, value }) => [
        attributes['sched.task.state'],
        value,
      ]),
    );
  await scheduler.schedule(task, { id: 'a', in: '1h' });
  await scheduler.schedule(task, { id: 'b', in: '1h' });
  await scheduler.pause('b');
  const first = { scheduled: 1, running: 0, paused: 1, finished: 0, failed: 0 };
  expect(await counts()).toEqual(first);
  await scheduler.remove('a');
  expect(await counts()).toEqual(first);
});

test('what was begun can be ended', async () => {
  const task = defineTask('task', { handler: () => {} });
  const { clock, scheduler, points, end } = createInstrumented(
    { tasks: [task] },
    { countTasksMs: Number.MIN_VALUE },
  );
  await scheduler.start();
  const runOne = async () => {
    await scheduler.schedule(task, { keepFinished: true });
    await clock.advance('1s');
    const finished = await points('sched.tasks');
    const [runs] = await points('sched.runs');
    return [
      finished.find(({ attributes }) => attributes['sched.task.state'] === 'finished')?.value,
      runs?.value,
    ];
  };
  expect(await runOne()).toEqual([1, 1]);
  expect(await runOne()).toEqual([2, 2]);
  end();
  expect(await runOne()).toEqual([2, 2]);
});

test('a task that nobody can run is counted, and so is a lease that is lost', async () => {
  const clock = createTestClock();
  const unknown = defineTask('unknown');
  const long = defineTask('long', { handler: ({ signal }) => clock.sleep('1h', { signal }) });
  const { points, shutdown, tracerProvider, meterProvider } = telemetry();
  later.push(shutdown);
  const store = new MemoryDataStore({ clock: clock.now });
  const scheduler = createScheduler({ store, clock, tasks: [unknown, long] });
  later.push(() => scheduler.stop());
  instrument(scheduler, { tracerProvider, meterProvider, countTasksMs: 0 });
  await scheduler.start();
  await scheduler.schedule(unknown);
  await scheduler.schedule(long, { id: 'a' });
  await clock.advance('1s');
  await scheduler.remove('a');
  await clock.advance('1m');
  const of = (task: string) => [
    { value: 1, attributes: { 'sched.task.name': task, 'sched.store': 'default' } },
  ];
  expect(await points('sched.deferred')).toMatchObject(of('unknown'));
  expect(await points('sched.leases.lost')).toMatchObject(of('long'));
  expect(await points('sched.tasks')).toEqual([]);
});

test('a store that fails is counted, by call and code', async () => {
  const clock = createTestClock();
  const { points, shutdown, tracerProvider, meterProvider } = telemetry();
  later.push(shutdown);
  const store = new Proxy(new MemoryDataStore({ clock: clock.now }), {
    get(target, member) {
      if (member === 'claim') return () => Promise.reject(new Error('down'));
      const value: unknown = Reflect.get(target, member, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const scheduler = createScheduler({ store, clock });
  later.push(() => scheduler.stop());
  instrument(scheduler, { tracerProvider, meterProvider });
  await scheduler.start();
  await clock.advance('1ms');
  expect(await points('sched.store.errors')).toMatchObject([
    {
      value: 1,
      attributes: {
        ...{ 'sched.store': 'default', 'sched.store.call': 'claim' },
        'error.type': 'SCHED_STORE_UNAVAILABLE',
      },
    },
  ]);
});

test('a store tells how long its calls take, and how they fail', async () => {
  const { meterProvider, points, shutdown } = telemetry();
  later.push(shutdown);
  const inner = new MemoryDataStore();
  const store = instrumentStore(inner, { meterProvider });
  expect(store.name).toBe(inner.name);
  expect(store.capabilities).toEqual(inner.capabilities);
  await expect(store.now()).rejects.toMatchObject({ code: 'SCHED_STORE_CLOSED' });
  const task = defineTask('task', { handler: () => {} });
  const scheduler = createScheduler({ store, tasks: [task] });
  const settled = new Promise((resolve) => scheduler.on('succeeded', resolve));
  await scheduler.start();
  await scheduler.schedule(task);
  await settled;
  await scheduler.stop();
  expect(() => store.withTransaction({})).toThrow('no transactions');
  const durations = await points('sched.store.duration');
  const of = (call: string) =>
    durations.filter(({ attributes }) => attributes['sched.store.call'] === call);
  for (const call of ['open', 'insert', 'claim', 'settle', 'close']) {
    expect(of(call), call).toMatchObject([{ attributes: { 'sched.store': inner.name } }]);
  }
  expect(of('now')).toContainEqual(
    expect.objectContaining({
      attributes: expect.objectContaining({ 'error.type': 'SCHED_STORE_CLOSED' }),
    }),
  );
});

test.each<[InstrumentOptions, RegExp]>([
  [{ producers: 'link' } as never, /Did you mean producer/],
  [{ producer: 'links' as never }, /link or parent/],
  [{ countTasksMs: Number.NaN }, /0 or more/],
])('is refused what it cannot use: %o', (options, message) => {
  const make = () => createInstrumented({}, options);
  expect(make).toThrow(message);
  expect(make).toThrow(expect.objectContaining({ code: 'SCHED_ARGUMENT_INVALID' }));
});

test('the dashboard for Grafana asks for what there is', async () => {
  const clock = createTestClock();
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const meterProvider = new MeterProvider({ readers: [exporter] });
  later.push(() => meterProvider.shutdown());
  let isDown = false;
  const faulty = new Proxy(new MemoryDataStore({ clock: clock.now }), {
    get(target, member) {
      const value: unknown = Reflect.get(target, member, target);
      if (typeof value !== 'function') return value;
      return isDown && member === 'claim'
        ? () => Promise.reject(new Error('down'))
        : value.bind(target);
    },
  });
  const store = instrumentStore(faulty, { meterProvider });
  const unknown = defineTask('unknown');
  const stuck = defineTask('stuck', { timeout: '1s', handler: () => clock.sleep('1h') });
  const work = defineTask('work', { handler: ({ signal }) => clock.sleep('10m', { signal }) });
  const scheduler = createScheduler({ store, clock, tasks: [unknown, stuck, work] });
  later.push(() => scheduler.stop());
  instrument(scheduler, { meterProvider });
  await scheduler.schedule(work, { id: 'skipped', every: '1m', catchUp: 'none' });
  await clock.advance('10m');
  await scheduler.start();
  await scheduler.scheduleMany([
    { task: unknown, id: 'deferred' },
    { task: stuck, id: 'abandoned' },
    { task: work, id: 'lost' },
  ]);
  await clock.advance('1m');
  await scheduler.remove('lost');
  isDown = true;
  await clock.advance('5m');
  const { resourceMetrics } = await exporter.collect();
  isDown = false;
  await Promise.all([scheduler.stop({ deadline: 0 }), clock.advance('1m')]);
  const text = new PrometheusSerializer().serialize(resourceMetrics);
  const file = new URL('../grafana-dashboard.json', import.meta.url);
  const { panels }: { panels: { targets: { expr: string }[] }[] } = JSON.parse(
    readFileSync(file, 'utf8'),
  );
  const queries = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  expect(queries.length).toBeGreaterThan(10);
  const exported = new Set(text.match(/^\w+(?=[{ ])/gm));
  const labels = new Set([...text.matchAll(/[{,](\w+)=/g)].map(([, label]) => label));
  for (const query of queries) {
    // Some exporters add the unit to a name.
    const asked = query.replace(/by \([^)]*\)/, '');
    const [, pattern = ''] =
      /__name__=~"([^"]+)"/.exec(asked) ?? /(sched_\w+)(?=[[{)])/.exec(asked) ?? [];
    expect(
      [...exported].filter((name) => new RegExp(`^${pattern}$`).test(name)),
      query,
    ).not.toEqual([]);
    const used = [...query.matchAll(/by \(([^)]*)\)|(\w+)=~?"/g)];
    for (const [, by = '', matched = ''] of used) {
      for (const label of [...by.split(', '), matched]) {
        if (label === '' || label === '__name__') continue;
        expect(labels, query).toContain(label);
      }
    }
  }
});
