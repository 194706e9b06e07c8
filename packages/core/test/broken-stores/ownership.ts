import type {
  ClaimRequest,
  ClaimResult,
  LeaseRef,
  NewTaskRecord,
  Release,
  Settlement,
  TaskRecord,
} from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import type { BrokenStore } from './broken-store.js';
import { broken, DistortingStore, turn } from './broken-store.js';

/** Stores that let two own one task, or let a stale owner act. */
export const ownershipStores: readonly BrokenStore[] = [
  broken(
    'gives claimers that race the same tasks',
    'G2',
    'no task is given to two callers',
    class extends MemoryDataStore {
      #answer: Promise<ClaimResult> | undefined;

      override claim(request: ClaimRequest): Promise<ClaimResult> {
        this.#answer ??= super.claim(request).finally(() => {
          this.#answer = undefined;
        });
        return this.#answer;
      }
    },
  ),
  broken(
    'claims a task one millisecond before the end of its lease',
    'G2',
    'a lease is live while now < expiresAt',
    class extends MemoryDataStore {
      override async claim(request: ClaimRequest): Promise<ClaimResult> {
        const { tasks } = await this.list({ limit: 100_000 });
        const now = await this.now();
        for (const { id, lease } of tasks) {
          const isEnding = lease?.expiresAt === now + 1;
          if (isEnding) await this.release([{ id, token: lease.token }]);
        }
        return super.claim(request);
      }
    },
  ),
  broken(
    'does not look at the token of a settlement',
    'G2',
    'a settlement that is lost changes nothing: another has claimed the task since',
    class extends MemoryDataStore {
      override async settle(settlements: readonly Settlement[]) {
        return super.settle(await underCurrentToken(this, settlements));
      }
    },
  ),
  broken(
    'does not look at the token of a release',
    'G2',
    'a token that is not the current lease’s is lost',
    class extends MemoryDataStore {
      override async release(leases: readonly Release[]) {
        return super.release(await underCurrentToken(this, leases));
      }
    },
  ),
  broken(
    'takes the token of any task of an extension for that of each',
    'G2',
    'a token of another task changes nothing',
    class extends MemoryDataStore {
      override async extend(leases: readonly LeaseRef[], leaseMs: number) {
        return super.extend(await underAnyToken(this, leases), leaseMs);
      }
    },
  ),
  broken(
    'takes the token of any task of a release for that of each',
    'G2',
    'a token of another task changes nothing',
    class extends MemoryDataStore {
      override async release(leases: readonly Release[]) {
        return super.release(await underAnyToken(this, leases));
      }
    },
  ),
  broken(
    'does not look at the token of an extension',
    'G2',
    'a token that is not the current lease’s is lost',
    class extends MemoryDataStore {
      override async extend(leases: readonly LeaseRef[], leaseMs: number) {
        return super.extend(await underCurrentToken(this, leases), leaseMs);
      }
    },
  ),
  broken(
    'refuses to extend a lease that has run out, though nobody has claimed the task since',
    'G2',
    'a lease can be extended 0 ms after its end while its token is the current one',
    class extends MemoryDataStore {
      override async extend(leases: readonly LeaseRef[], leaseMs: number) {
        const now = await this.now();
        const tasks = await this.get(leases.map(({ id }) => id));
        const inTime = leases.map((ref, index) => {
          const isLate = (tasks[index]?.lease?.expiresAt ?? now) <= now;
          return isLate ? { ...ref, token: -1 } : ref;
        });
        return super.extend(inTime, leaseMs);
      }
    },
  ),
  broken(
    'revives a lease that another has taken since',
    'G2',
    'a lease that another has taken is not revived',
    class extends MemoryDataStore {
      readonly #given = new Set<string>();

      override async claim(request: ClaimRequest): Promise<ClaimResult> {
        const result = await super.claim(request);
        for (const { id, lease } of result.tasks) this.#given.add(`${lease.token} ${id}`);
        return result;
      }

      override async extend(leases: readonly LeaseRef[], leaseMs: number) {
        const current = await underCurrentToken(this, leases);
        const taken = leases.map((ref, index) =>
          this.#given.has(`${ref.token} ${ref.id}`) ? (current[index] ?? ref) : ref,
        );
        return super.extend(taken, leaseMs);
      }
    },
  ),
  broken(
    'says of a lease that another has taken since that it is extended',
    'G2',
    'a lease that another has claimed since is lost',
    class extends MemoryDataStore {
      override async extend(leases: readonly LeaseRef[], leaseMs: number) {
        const answers = await super.extend(leases, leaseMs);
        const tasks = await this.get(leases.map(({ id }) => id));
        return answers.map((answer, index) => {
          const task = tasks[index];
          return answer === 'lost' && task?.lease ? task.revision : answer;
        });
      }
    },
  ),
  broken(
    'extends a lease that it found current though another has claimed the task since',
    'G2',
    'a lease that was extended is live, so nobody else claims the task',
    class extends MemoryDataStore {
      override async extend(leases: readonly LeaseRef[], leaseMs: number) {
        const tasks = await this.get(leases.map(({ id }) => id));
        await turn();
        const current = await underCurrentToken(this, leases);
        const found = leases.map((ref, index) => {
          const wasCurrent = tasks[index]?.lease?.token === ref.token;
          return wasCurrent ? (current[index] ?? ref) : ref;
        });
        return super.extend(found, leaseMs);
      }
    },
  ),
  broken(
    'says that a lease is extended and leaves it as it was',
    'G2',
    'extend changes the end of the lease',
    class extends MemoryDataStore {
      override async extend(leases: readonly LeaseRef[]) {
        const tasks = await this.get(leases.map(({ id }) => id));
        return leases.map(({ token }, index) => {
          const task = tasks[index];
          return task?.lease?.token === token ? task.revision : 'lost';
        });
      }
    },
  ),
  broken(
    'starts tokens afresh when a task is created again',
    'G2',
    'a claim after removal and re-creation has a greater token',
    class extends DistortingStore {
      /** By id: the revision that the task was created with, above which its tokens begin. */
      readonly #bases = new Map<string, number>();

      protected override show<T extends TaskRecord>(task: T): T {
        const token = (task.lease?.token ?? 0) - this.#base(task.id);
        return task.lease ? { ...task, lease: { ...task.lease, token } } : task;
      }

      override async insert(records: readonly NewTaskRecord[]) {
        const answers = await super.insert(records);
        const tasks = await this.get(records.map(({ id }) => id));
        for (const [index, task] of tasks.entries()) {
          if (task && answers[index] === 'inserted') this.#bases.set(task.id, task.revision);
        }
        return answers;
      }

      override extend(leases: readonly LeaseRef[], leaseMs: number) {
        return super.extend(this.#kept(leases), leaseMs);
      }

      override settle(settlements: readonly Settlement[]) {
        return super.settle(this.#kept(settlements));
      }

      override release(leases: readonly Release[]) {
        return super.release(this.#kept(leases));
      }

      #base(id: string): number {
        return this.#bases.get(id) ?? 0;
      }

      #kept<T extends LeaseRef>(leases: readonly T[]): T[] {
        return leases.map((lease) => ({ ...lease, token: lease.token + this.#base(lease.id) }));
      }
    },
  ),
  broken(
    'settles one task no more than once a call',
    'G2',
    'the second of two equal settlements finds that the first was applied',
    class extends MemoryDataStore {
      override async settle(settlements: readonly Settlement[]) {
        const answers = await super.settle(settlements);
        const firsts = settlements.map(({ id }) => settlements.findIndex((each) => each.id === id));
        return answers.map((answer, index) => (firsts[index] === index ? answer : 'lost'));
      }
    },
  ),
  broken(
    'says settled beside a settlement under the same token that removes the task meanwhile',
    'G2',
    'a settlement that removes and a settlement that are made at once have the effect of one',
    class extends MemoryDataStore {
      /** By task and token, settlements that have removed their task and have not been answered yet. */
      readonly #removing = new Set<string>();

      override async settle(settlements: readonly Settlement[]) {
        const answers = await super.settle(settlements);
        const keys = settlements.map(({ id, token }) => `${token} ${id}`);
        const removed = keys.filter(
          (_, index) => answers[index] === 'settled' && settlements[index]?.next === null,
        );
        const told = answers.map((answer, index) =>
          this.#removing.has(keys[index] ?? '') ? 'settled' : answer,
        );
        for (const key of removed) this.#removing.add(key);
        await turn();
        await turn();
        for (const key of removed) this.#removing.delete(key);
        return told;
      }
    },
  ),
];

/** Puts the token of the current lease in the place of whatever was presented. */
async function underCurrentToken<T extends LeaseRef>(
  store: MemoryDataStore,
  leases: readonly T[],
): Promise<T[]> {
  const tasks = await store.get(leases.map(({ id }) => id));
  return leases.map((lease, index) => ({
    ...lease,
    token: tasks[index]?.lease?.token ?? lease.token,
  }));
}

/** The same where the token of the current lease was presented, for whichever task. */
async function underAnyToken<T extends LeaseRef>(
  store: MemoryDataStore,
  leases: readonly T[],
): Promise<readonly T[]> {
  const given = new Set(leases.map(({ token }) => token));
  const current = await underCurrentToken(store, leases);
  return current.map((lease, index) => (given.has(lease.token) ? lease : (leases[index] ?? lease)));
}
