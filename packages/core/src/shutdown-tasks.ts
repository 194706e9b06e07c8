/** Tasks that run once when a scheduler stops. */

import { readDeclarations } from './bulk.js';
import { checkMembers } from './check.js';
import {
  type Declaration,
  type DeclarationContext,
  optionNames,
  type ScheduleOptions,
} from './declaration.js';
import { SchedError } from './errors.js';
import { pause, within } from './promises.js';
import type { StoreAccess } from './store-access.js';
import type { TaskDefinition } from './task.js';
import type { TaskClient } from './task-client.js';
import { type When, whenNames } from './when.js';
import type { Worker } from './worker/worker.js';

/** Options of a task that runs when a scheduler stops: those of `schedule`, but no time. */
export type ShutdownTaskOptions<Input = void> = Omit<
  ScheduleOptions<Input>,
  keyof When | 'debounce'
>;

/** One of their own, since a scheduler that stops works on their queues, and should not begin with other tasks. */
const defaultQueue = 'shutdown';
/** How often to look whether they have been run. */
const lookEveryMs = 50;

export class ShutdownTasks {
  readonly #declarations: Declaration[] = [];

  /** @throws SchedError `SCHED_ARGUMENT_INVALID` */
  add<Input>(task: TaskDefinition<Input, unknown>, options: ShutdownTaskOptions<Input>): void {
    const timeNames: readonly string[] = [...whenNames, 'debounce'];
    const names = optionNames().filter((name) => !timeNames.includes(name));
    checkMembers('The options of onShutdown', options, names);
    const { queue = defaultQueue } = options;
    this.#declarations.push({ ...options, task, queue } as Declaration);
  }

  /** @throws SchedError when a task could not be scheduled as it was declared */
  async check(context: DeclarationContext): Promise<void> {
    await readDeclarations(this.#declarations as never, context);
  }

  /**
   * Schedules the tasks, and works on their queues until they have been run, by this process or by another one. What is
   * not run in time is left to the next worker of its queue.
   *
   * @param workOn makes the worker that is to run them
   * @throws SchedError `SCHED_TIMEOUT`, and what `scheduleMany` throws
   */
  async run(
    client: TaskClient,
    access: StoreAccess,
    limitMs: number,
    workOn: (queues: readonly string[]) => Worker,
  ): Promise<void> {
    if (this.#declarations.length === 0) return;
    const { clock } = access;
    const worker = workOn([...new Set(this.#declarations.map(({ queue }) => queue as string))]);
    const deadline = clock.elapsed() + limitMs;
    const leftMs = () => Math.max(0, deadline - clock.elapsed());
    const schedule = () => client.scheduleMany(this.#declarations as never);
    try {
      const tasks = await within(clock, limitMs, 'To schedule what runs on shutdown', schedule);
      worker.start();
      const ids = tasks.map(({ id }) => id);
      while (await areLeft(access, ids, leftMs())) {
        if (leftMs() === 0) throw late(limitMs);
        await pause(clock, Math.min(lookEveryMs, leftMs()));
      }
    } finally {
      await worker.stop(leftMs());
    }
  }
}

async function areLeft(access: StoreAccess, ids: readonly string[], timeoutMs: number) {
  const found = await access.call('get', (store) => store.get(ids), { timeoutMs });
  return found.some((task) => task?.status === 'scheduled');
}

function late(limitMs: number): SchedError {
  return new SchedError(
    'SCHED_TIMEOUT',
    `What is to run on shutdown had not ended after ${limitMs} ms: it stays in its queue. Raise shutdownTimeout, or list the queue in a worker.`,
  );
}
