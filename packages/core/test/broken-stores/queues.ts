import type { ClaimedTask, ClaimRequest, ClaimResult, TaskRecord } from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import type { BrokenStore } from './broken-store.js';
import { broken } from './broken-store.js';

/** Claims all that is due, keeps what is chosen, and gives back the rest. */
class ChoosingStore extends MemoryDataStore {
  protected choose(
    tasks: readonly ClaimedTask[],
    _request: ClaimRequest,
  ): Promise<readonly ClaimedTask[]> | readonly ClaimedTask[] {
    return tasks;
  }

  override async claim(request: ClaimRequest): Promise<ClaimResult> {
    const result = await super.claim({ ...request, limit: 100_000 });
    const chosen = (await this.choose(result.tasks, request)).slice(0, request.limit);
    const rest = result.tasks.filter((task) => !chosen.includes(task));
    await this.release(rest.map(({ id, lease }) => ({ id, token: lease.token })));
    const moments = [...rest.map(({ runAt }) => runAt ?? 0), ...moment(result.nextWakeAt)];
    return {
      ...result,
      tasks: chosen,
      nextWakeAt: moments.length > 0 ? Math.min(...moments) : null,
    };
  }
}

/** Says when to wake for some of the queues. */
abstract class PartlyWakingStore extends MemoryDataStore {
  protected abstract watched(
    request: ClaimRequest,
    tasks: readonly ClaimedTask[],
  ): readonly string[];

  override async claim(request: ClaimRequest): Promise<ClaimResult> {
    const result = await super.claim(request);
    const queues = this.watched(request, result.tasks);
    const { nextWakeAt } = await super.claim({ ...request, queues, limit: 0 });
    return { ...result, nextWakeAt };
  }
}

/** Which tasks stand in the way. */
const hiding: Readonly<Record<string, (task: TaskRecord) => boolean>> = {
  paused: ({ paused }) => paused,
  leased: ({ lease, paused }) => lease !== null && !paused,
  'far off': ({ lease, wakeAt }) => lease === null && wakeAt !== null,
  ended: ({ status }) => status !== 'scheduled',
};

/** Stores that do not look at all of their queues, or not in their order. */
export const queueStores: readonly BrokenStore[] = [
  broken(
    'keeps the first queue in its place and sorts the others',
    'G5',
    'nothing is taken from a queue while an earlier one has a due task',
    class extends MemoryDataStore {
      override claim(request: ClaimRequest) {
        const [first, rest] = [request.queues.slice(0, 1), request.queues.slice(1)];
        return super.claim({ ...request, queues: [...first, ...rest.toSorted()] });
      }
    },
  ),
  broken(
    'takes the oldest first behind the first two queues',
    'G5',
    'nothing is taken from a queue while an earlier one has a due task',
    class extends ChoosingStore {
      protected override choose(tasks: readonly ClaimedTask[], { queues }: ClaimRequest) {
        const place = (task: ClaimedTask) => Math.min(2, queues.indexOf(task.queue));
        const age = (task: ClaimedTask) => task.runAt ?? 0;
        return tasks.toSorted((a, b) => place(a) - place(b) || age(a) - age(b));
      }
    },
  ),
  broken(
    'gives every queue a share of the limit',
    'G5',
    'nothing is taken from a queue while an earlier one',
    class extends ChoosingStore {
      protected override choose(tasks: readonly ClaimedTask[], { queues, limit }: ClaimRequest) {
        const share = Math.ceil(limit / queues.length);
        const isInShare = (task: ClaimedTask) =>
          tasks.filter(({ queue }) => queue === task.queue).indexOf(task) < share;
        return [...tasks.filter(isInShare), ...tasks.filter((task) => !isInShare(task))];
      }
    },
  ),
  broken(
    'looks at no more than sixteen queues',
    'G5',
    'nextWakeAt is never later than the earliest wakeAt',
    class extends MemoryDataStore {
      override claim(request: ClaimRequest) {
        return super.claim({ ...request, queues: request.queues.slice(0, 16) });
      }
    },
  ),
  broken(
    'stops at the first queue without a due task',
    'G5',
    'in the order of the queues',
    class extends ChoosingStore {
      protected override choose(tasks: readonly ClaimedTask[], { queues }: ClaimRequest) {
        const full = new Set(tasks.map(({ queue }) => queue));
        const empty = queues.findIndex((queue) => !full.has(queue));
        return empty < 0 ? tasks : tasks.filter(({ queue }) => queues.indexOf(queue) < empty);
      }
    },
  ),
  broken(
    'says when to wake for the first queue only',
    'G5',
    'nextWakeAt is never later than the earliest wakeAt',
    class extends PartlyWakingStore {
      protected override watched({ queues }: ClaimRequest) {
        return queues.slice(0, 1);
      }
    },
  ),
  broken(
    'says when to wake for ten queues at most',
    'G5',
    'nextWakeAt is never later than the earliest wakeAt',
    class extends PartlyWakingStore {
      protected override watched({ queues }: ClaimRequest) {
        return queues.slice(0, 10);
      }
    },
  ),
  broken(
    'does not look for what to wake for behind the queue in which the limit was reached',
    'G5',
    'nextWakeAt is never later than the earliest wakeAt',
    class extends PartlyWakingStore {
      protected override watched({ queues, limit }: ClaimRequest, tasks: readonly ClaimedTask[]) {
        const last = tasks.at(-1);
        return last && tasks.length === limit
          ? queues.slice(0, queues.indexOf(last.queue) + 1)
          : queues;
      }
    },
  ),
  ...['paused', 'leased', 'far off', 'ended'].map((kind) =>
    broken(
      `looks for due tasks among the first two hundred of a queue, those that are ${kind} included`,
      'G5',
      `however many others are ${kind}`,
      class extends ChoosingStore {
        protected override async choose(tasks: readonly ClaimedTask[]) {
          const { tasks: all } = await this.list({ limit: 100_000 });
          const hides = hiding[kind] ?? (() => false);
          const taken = new Set(tasks.map(({ id }) => id));
          return tasks.filter(
            ({ queue }) =>
              all.filter((other) => other.queue === queue && !taken.has(other.id) && hides(other))
                .length < 200,
          );
        }
      },
    ),
  ),
];

function moment(nextWakeAt: number | null): number[] {
  return nextWakeAt === null ? [] : [nextWakeAt];
}
