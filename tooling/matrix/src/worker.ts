// A worker of the matrix: a process of its own, which runs the built packages as users do. It stops when it is told
// to, or when whoever started it is gone.

import { setTimeout } from 'node:timers/promises';
import type { DataStore } from '@sched/core';
import { createScheduler, type RunContext, type RunEvent } from '@sched/core';
import type { ConformanceProcess } from '@sched/core/conformance';
import { openJournal, type Run } from './journal.ts';
import { type Payload, workTask } from './tasks.ts';

export interface WorkerArguments {
  readonly name: string;
  readonly place: ConformanceProcess;
  /** The folder of the journals. */
  readonly journals: string;
}

const { name, place, journals }: WorkerArguments = JSON.parse(process.argv[2] ?? '');
const connect: (argument: unknown) => DataStore = (await import(place.module)).default;
const note = openJournal(journals, name);

async function work({ task, token, nominal, attempt, payload, signal }: RunContext<Payload>) {
  const run = { id: task.id, token, nominal: nominal.getTime(), attempt };
  note({ kind: 'began', run });
  if (payload.workMs > 0) await setTimeout(payload.workMs, undefined, { signal });
  if (attempt <= payload.failures) {
    note({ kind: 'failed', run });
    throw new Error('as planned');
  }
  note({ kind: 'ended', run });
}

const runOf = ({ id, token, nominal, attempt }: RunEvent): Run => ({
  ...{ id, token, attempt },
  nominal: nominal.getTime(),
});

const scheduler = createScheduler({
  store: connect(place.argument),
  tasks: [workTask(work)],
  ...{ owner: name, announce: false },
  lease: '1s',
  pollInterval: 200,
  storeTimeout: '2s',
});
scheduler.on('succeeded', (event) => note({ kind: 'recorded', run: runOf(event) }));
scheduler.on('storeError', ({ call, error }) =>
  note({ kind: 'storeError', call, code: error.code }),
);

async function stop() {
  await scheduler.stop();
  if (process.connected) process.disconnect();
}
process.once('message', stop).once('disconnect', stop);
await scheduler.start();
if (process.connected) process.send?.('ready');
