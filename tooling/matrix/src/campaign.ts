import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { ListFilter, RunInfo, Scheduler, TaskInfo } from '@sched/core';
import { createScheduler, isSchedError } from '@sched/core';
import { type JournalEntry, readJournals } from './journal.ts';
import type { TestPlace, TestStore } from './stores.ts';
import { type Expectation, oneOffs, type PlannedTask, series, workTask } from './tasks.ts';
import { Workers } from './workers.ts';

/** What was to happen, what workers saw, and what the store says in the end. */
export interface Evidence {
  readonly expected: readonly Expectation[];
  readonly journal: readonly JournalEntry[];
  readonly tasks: readonly TaskInfo[];
  /** By task, oldest first. */
  readonly histories: ReadonlyMap<string, readonly RunInfo[]>;
  readonly problems: readonly string[];
  /** How many workers were killed. */
  readonly killed: number;
  /** How many calls were made again by the process that schedules. */
  readonly repeated: number;
}

/** The most history entries that stores keep by default; no task may come to have as many. */
export const historyLimit = 100;

const workerCount = 3;
/** More tasks come with each kill, so many times. */
const waveCount = 4;
/** The wave that comes while the server is down. */
const outageWave = 2;
const waveSize = 48;
/** The first ones. */
const earlySize = 200;
/** A slow store gets so much less. */
const slowShare = 1 / 4;
/** When to give up. What is missing then is in the evidence. */
const limitMs = 120_000;

/**
 * Tasks that are scheduled by this process and run by three others, of which one is killed each second. The server is
 * killed and started again in the middle.
 */
export async function campaign(store: TestStore): Promise<Evidence> {
  const journals = mkdtempSync(join(tmpdir(), 'sched-matrix-'));
  const place = await store.create();
  try {
    return await runIn(place, store, journals);
  } finally {
    await place.dispose();
    rmSync(journals, { recursive: true });
  }
}

async function runIn(
  place: TestPlace,
  { server, isSlow }: TestStore,
  journals: string,
): Promise<Evidence> {
  const handle = await place.connect({});
  const options = { store: handle, tasks: [workTask()], storeTimeout: 2000 };
  await using scheduler = createScheduler(options);
  const client = new Client();
  const share = isSlow ? slowShare : 1;
  const workers = new Workers(place.process, journals);
  await handle.open();
  const begun = await handle.now();
  const expected: Expectation[] = [];
  const schedule = async (tasks: readonly PlannedTask[]) => {
    expected.push(...tasks.map((task) => task.expected));
    await client.insist(() => scheduler.scheduleMany(tasks.map((task) => task.declaration)));
  };
  // Those that are removed when they have run: no call is repeated here, which would bring them back.
  await schedule(
    oneOffs('early', earlySize * share, { from: begun, overMs: 6000, keepFinished: false }),
  );
  await schedule(series((await handle.now()) + 1000));
  for (let i = 0; i < workerCount; i++) workers.start();
  const killing = setInterval(() => workers.replaceOne(), 1000);
  try {
    for (let wave = 1; wave <= waveCount; wave++) {
      await workers.untilNextKill();
      const from = await client.insist(() => handle.now());
      const tasks = oneOffs(`wave-${wave}`, waveSize * share, {
        from,
        overMs: 2000,
        keepFinished: true,
      });
      if (wave === outageWave && server?.restartable) {
        await server.stop({ kill: true });
        const scheduling = schedule(tasks);
        // Down until one worker has died meanwhile, and another has begun.
        await Promise.all([client.untilRefused(), workers.untilNextKill()]);
        await server.start();
        await scheduling;
      } else await schedule(tasks);
    }
    const deadline = performance.now() + limitMs;
    const count = (filter: ListFilter) => client.insist(() => scheduler.count(filter));
    // The ended ones last, so that one that ends in between is not counted as left.
    const countLeft = async () =>
      (await count({})) - (await count({ state: 'finished' })) - (await count({ state: 'failed' }));
    while ((await countLeft()) > 0 && workers.problems.length === 0) {
      if (performance.now() > deadline) break;
      await setTimeout(100);
    }
    clearInterval(killing);
    await workers.stop();
    const state = await readState(scheduler, client, expected);
    const { problems, killed } = workers;
    const { repeated } = client;
    return { expected, journal: readJournals(journals), ...state, problems, killed, repeated };
  } finally {
    clearInterval(killing);
    await workers.end();
  }
}

async function readState(scheduler: Scheduler, client: Client, expected: readonly Expectation[]) {
  const tasks: TaskInfo[] = [];
  for await (const task of scheduler.list()) tasks.push(task);
  const histories = new Map<string, readonly RunInfo[]>();
  for (const { id } of expected) {
    const history = await client.insist(() => scheduler.history(id, historyLimit));
    histories.set(id, history.toReversed());
  }
  return { tasks, histories };
}

/** Makes calls again until the store answers, as programs do. */
class Client {
  repeated = 0;
  #onRefused: (() => void)[] = [];

  async insist<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        const isPassing =
          isSchedError(error, 'SCHED_STORE_UNAVAILABLE') ||
          isSchedError(error, 'SCHED_STORE_TIMEOUT');
        if (!isPassing) throw error;
        this.repeated++;
        for (const resolve of this.#onRefused.splice(0)) resolve();
        await setTimeout(50);
      }
    }
  }

  /** Resolves when a call has failed. */
  async untilRefused(): Promise<void> {
    await new Promise<void>((resolve) => this.#onRefused.push(resolve));
  }
}
