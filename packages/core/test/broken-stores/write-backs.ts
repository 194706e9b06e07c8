import type {
  ClaimedTask,
  ClaimRequest,
  ClaimResult,
  LeaseRef,
  NewTaskRecord,
  Release,
  Settlement,
  TaskRecord,
  TaskSelector,
} from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import type { Guarantee } from '../../src/conformance/index.js';
import type { BrokenStore } from './broken-store.js';
import { broken, turn } from './broken-store.js';

type Call = 'update' | 'remove' | 'setPaused' | 'claim' | 'extend' | 'settle' | 'release';
type Change = Partial<Omit<NewTaskRecord, 'id' | 'paused'>>;

/**
 * A store in which one call reads its tasks, waits, and writes them back as it read them, changed. What one other call
 * has done to them meanwhile is overwritten. It comes to the same if that call only answers as if it had done it.
 */
function writingBack(writer: Call, overwritten: Call) {
  return class extends MemoryDataStore {
    /** The tasks that have been read and not yet written back, once for each call that read them. */
    readonly #read: string[] = [];
    #claims = 0;

    override async update(id: string, change: Change, expected: { readonly revision: number }) {
      const write = () => super.update(id, change, expected);
      if (!this.#isOverwritten('update', id)) return this.#call('update', [id], write);
      const [task] = await this.get([id]);
      if (!task) return 'missing';
      return task.revision === expected.revision ? 'updated' : 'conflict';
    }

    override async remove(selector: TaskSelector) {
      const { kept, lost } = await this.#sort('remove', selector);
      const ids = idsOf(kept);
      return lost.length + (await this.#call('remove', ids, () => super.remove({ ids })));
    }

    override async setPaused(selector: TaskSelector, paused: boolean) {
      const { kept, lost } = await this.#sort('setPaused', selector);
      const ids = idsOf(kept);
      const write = () => super.setPaused({ ids }, paused);
      const changed = await this.#call('setPaused', ids, write);
      return changed + lost.filter((task) => task.paused !== paused).length;
    }

    override async claim(request: ClaimRequest): Promise<ClaimResult> {
      const read = [...this.#read];
      const { tasks } = await this.list({ limit: 100_000 });
      const now = await this.now();
      const due = tasks.filter(
        ({ queue, wakeAt }) => request.queues.includes(queue) && wakeAt !== null && wakeAt <= now,
      );
      const lost = due.find(({ id }) => overwritten === 'claim' && read.includes(id));
      if (!lost) return this.#call('claim', idsOf(due), () => super.claim(request));
      const token = Number.MAX_SAFE_INTEGER - 1_000_000 + this.#claims++;
      const lease = { token, owner: request.owner, expiresAt: now + request.leaseMs };
      const claimed: ClaimedTask = {
        ...lost,
        lease,
        deliveries: lost.deliveries + 1,
        wakeAt: lease.expiresAt,
        lapsedOwner: lost.lease?.owner ?? null,
      };
      return { tasks: [claimed], now, nextWakeAt: now };
    }

    override async extend(leases: readonly LeaseRef[], leaseMs: number) {
      const ids = idsOf(leases);
      if (!ids.some((id) => this.#isOverwritten('extend', id))) {
        return this.#call('extend', ids, () => super.extend(leases, leaseMs));
      }
      const tasks = await this.get(ids);
      return leases.map(({ token }, index) => {
        const task = tasks[index];
        return task?.lease?.token === token ? task.revision : 'lost';
      });
    }

    override async settle(settlements: readonly Settlement[]) {
      const ids = idsOf(settlements);
      if (!ids.some((id) => this.#isOverwritten('settle', id))) {
        return this.#call('settle', ids, () => super.settle(settlements));
      }
      const tasks = await this.get(ids);
      return settlements.map(({ token, revision }, index) => {
        if (tasks[index]?.lease?.token !== token) return 'lost';
        return tasks[index].revision === revision ? 'settled' : 'conflict';
      });
    }

    override async release(leases: readonly Release[]) {
      const ids = idsOf(leases);
      if (!ids.some((id) => this.#isOverwritten('release', id))) {
        return this.#call('release', ids, () => super.release(leases));
      }
      const tasks = await this.get(ids);
      return leases.map(({ token }, index) =>
        tasks[index]?.lease?.token === token ? 'released' : 'lost',
      );
    }

    async #call<T>(call: Call, ids: readonly string[], write: () => Promise<T>): Promise<T> {
      if (call !== writer) return write();
      this.#read.push(...ids);
      await turn();
      for (const id of ids) this.#read.splice(this.#read.indexOf(id), 1);
      return write();
    }

    #isOverwritten(call: Call, id: string): boolean {
      return call === overwritten && this.#read.includes(id);
    }

    /** Which of the tasks are as they were read by another call, that will overwrite what is done to them. */
    async #sort(call: Call, selector: TaskSelector) {
      const read = [...this.#read];
      const { tasks } = await this.list({ limit: 100_000 });
      const selected = tasks.filter((task) => isSelected(task, selector));
      const isLost = ({ id }: TaskRecord) => call === overwritten && read.includes(id);
      return {
        lost: selected.filter(isLost),
        kept: selected.filter((task) => !isLost(task)),
      };
    }
  };
}

const words: Record<Call, string> = {
  update: 'an edit',
  remove: 'a removal',
  setPaused: 'a pause',
  claim: 'a claim',
  extend: 'an extension',
  settle: 'a settlement',
  release: 'a release',
};

const pairs: readonly (readonly [writer: Call, overwritten: Call, breaks: Guarantee])[] = [
  ['update', 'update', 'G6'],
  ['update', 'setPaused', 'G6'],
  ['update', 'remove', 'G6'],
  ['update', 'claim', 'G6'],
  ['update', 'extend', 'G6'],
  ['update', 'release', 'G6'],
  ['setPaused', 'update', 'G6'],
  ['setPaused', 'claim', 'G6'],
  ['setPaused', 'settle', 'G6'],
  ['setPaused', 'remove', 'G6'],
  ['claim', 'update', 'G6'],
  ['claim', 'setPaused', 'G6'],
  ['claim', 'remove', 'G6'],
  ['claim', 'settle', 'G2'],
  ['claim', 'extend', 'G2'],
  ['extend', 'update', 'G6'],
  ['extend', 'setPaused', 'G6'],
  ['extend', 'remove', 'G6'],
  ['extend', 'claim', 'G2'],
  ['extend', 'release', 'G2'],
  ['extend', 'settle', 'G2'],
  ['release', 'update', 'G6'],
  ['release', 'setPaused', 'G6'],
  ['release', 'claim', 'G2'],
  ['release', 'settle', 'G2'],
  ['settle', 'update', 'G6'],
  ['settle', 'setPaused', 'G6'],
  ['settle', 'remove', 'G6'],
  ['settle', 'claim', 'G2'],
  ['settle', 'release', 'G2'],
];

/** Stores that lose what one call does while another is between its reading and its writing. */
export const writeBackStores: readonly BrokenStore[] = pairs.map(([writer, overwritten, breaks]) =>
  broken(
    `writes back what ${words[writer]} has read over ${words[overwritten]} made meanwhile`,
    breaks,
    `${words[writer]} and ${words[overwritten]} that are made at once have the effect`,
    writingBack(writer, overwritten),
  ),
);

function isSelected({ id, group }: TaskRecord, selector: TaskSelector): boolean {
  if ('ids' in selector) return selector.ids.includes(id);
  return 'group' in selector ? group === selector.group : true;
}

function idsOf(items: readonly { readonly id: string }[]): string[] {
  return items.map(({ id }) => id);
}
