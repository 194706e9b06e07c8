import type { HistoryEntry, Release, Settlement, TaskSelector } from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import type { BrokenStore } from './broken-store.js';
import { broken } from './broken-store.js';

export const faultStores: readonly BrokenStore[] = [
  broken(
    'appends the history of a settlement again when it is made again',
    'G2',
    'settle is applied once, however often made',
    class extends MemoryDataStore {
      readonly #again: HistoryEntry[] = [];
      override async settle(settlements: readonly Settlement[]) {
        const answers = await super.settle(settlements);
        const known = new Set(this.#again.map(({ id }) => id));
        for (const { history } of settlements) {
          for (const entry of history) {
            this.#again.push(known.has(entry.id) ? { ...entry, id: `${entry.id}-again` } : entry);
          }
        }
        return answers;
      }
      override async history(taskId: string) {
        return this.#again.filter((entry) => entry.taskId === taskId);
      }
    },
  ),
  broken(
    'pauses what a resumption that is made again has resumed',
    'G6',
    'setPaused is applied once, however often made',
    class extends MemoryDataStore {
      #resumed = '';
      override async setPaused(selector: TaskSelector, paused: boolean) {
        const asked = JSON.stringify(selector);
        const isAgain = !paused && asked === this.#resumed;
        this.#resumed = paused ? '' : asked;
        const changed = await super.setPaused(selector, paused);
        if (isAgain) await super.setPaused(selector, true);
        return changed;
      }
    },
  ),
  broken(
    'answers released to a release that is made again',
    'G3',
    'release answers so the second time',
    class extends MemoryDataStore {
      readonly #released = new Set<number>();
      override async release(leases: readonly Release[]) {
        const answers = await super.release(leases);
        return leases.map(({ token }, index) => {
          if (answers[index] === 'released') this.#released.add(token);
          return this.#released.has(token) ? ('released' as const) : ('lost' as const);
        });
      }
    },
  ),
  broken(
    'forgets each ninth task that workers are given',
    'G1',
    'workers bring every occurrence to an end',
    class extends MemoryDataStore {
      #claims = 0;
      override async claim(request: Parameters<MemoryDataStore['claim']>[0]) {
        const result = await super.claim(request);
        const [task] = result.tasks;
        if (task && ++this.#claims % 9 === 0) await super.remove({ ids: [task.id] });
        return result;
      }
    },
  ),
  broken(
    'lets a settlement undo the edits that it knows nothing of',
    'G6',
    'workers lose no edit',
    class extends MemoryDataStore {
      override async settle(settlements: readonly Settlement[]) {
        const tasks = await super.get(settlements.map(({ id }) => id));
        return super.settle(
          settlements.map((settlement, index) => ({
            ...settlement,
            revision: tasks[index]?.revision ?? settlement.revision,
          })),
        );
      }
    },
  ),
  broken(
    'hands what it has given to one worker to the next one as well',
    'G2',
    'workers own each task one after another',
    class extends MemoryDataStore {
      #last: Awaited<ReturnType<MemoryDataStore['claim']>>['tasks'] = [];
      override async claim(request: Parameters<MemoryDataStore['claim']>[0]) {
        const { tasks, ...rest } = await super.claim(request);
        const both = [...tasks, ...this.#last];
        this.#last = tasks;
        return { tasks: both, ...rest };
      }
    },
  ),
  broken(
    'has what is settled run three seconds early',
    'G4',
    'workers run nothing before its time',
    class extends MemoryDataStore {
      override async settle(settlements: readonly Settlement[]) {
        return super.settle(
          settlements.map(({ next, ...rest }) => ({
            ...rest,
            next: next?.runAt ? { ...next, runAt: next.runAt - 3000 } : next,
          })),
        );
      }
    },
  ),
];
