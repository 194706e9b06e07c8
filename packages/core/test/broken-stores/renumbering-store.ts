import type {
  ClaimRequest,
  ClaimResult,
  LeaseRef,
  ListRequest,
  ListResult,
  NewTaskRecord,
  Release,
  Settlement,
  TaskRecord,
  TaskSelector,
} from '@sched/core';
import { MemoryDataStore } from '@sched/memory';

type Change = Partial<Omit<NewTaskRecord, 'id' | 'paused'>>;

/** How a task left the store. */
export type Removal = 'ids' | 'group' | 'all' | 'settlement';

/** The numbers that one kind of fence had under each id, and those that stand for them. */
class Numbers {
  readonly #shown = new Map<string, Map<number, number>>();
  readonly #kept = new Map<string, Map<number, number>>();

  show(id: string, kept: number, choose: () => number): number {
    const of = numbersOf(this.#shown, id);
    const shown = of.get(kept) ?? choose();
    of.set(kept, shown);
    numbersOf(this.#kept, id).set(shown, kept);
    return shown;
  }

  keep(id: string, shown: number): number {
    return this.#kept.get(id)?.get(shown) ?? -1;
  }
}

function numbersOf(by: Map<string, Map<number, number>>, id: string): Map<number, number> {
  const numbers = by.get(id) ?? new Map<number, number>();
  by.set(id, numbers);
  return numbers;
}

/** A store that counts the tokens and revisions of each id, and keeps the counts of ids that are gone. */
export class RenumberingStore extends MemoryDataStore {
  /** The last token and the last revision of each id. */
  protected readonly lastTokens = new Map<string, number>();
  protected readonly lastRevisions = new Map<string, number>();
  readonly #tokens = new Numbers();
  readonly #revisions = new Numbers();

  protected nextToken(id: string): number {
    return (this.lastTokens.get(id) ?? 0) + 1;
  }

  protected nextRevision(id: string): number {
    return (this.lastRevisions.get(id) ?? 0) + 1;
  }

  /** Is told of each task that has left the store. */
  protected gone(_id: string, _how: Removal): void {}

  override async insert(records: readonly NewTaskRecord[]) {
    const answers = await super.insert(records);
    await this.get(records.map(({ id }) => id));
    return answers;
  }

  override async get(ids: readonly string[]) {
    return (await super.get(ids)).map((task) => task && this.#show(task));
  }

  override async list(request: ListRequest): Promise<ListResult> {
    const { tasks, next } = await super.list(request);
    return { tasks: tasks.map((task) => this.#show(task)), next };
  }

  override async claim(request: ClaimRequest): Promise<ClaimResult> {
    const result = await super.claim(request);
    return { ...result, tasks: result.tasks.map((task) => this.#show(task)) };
  }

  override async update(id: string, change: Change, { revision }: { readonly revision: number }) {
    const kept = this.#revisions.keep(id, revision);
    const answer = await super.update(id, change, { revision: kept });
    await this.get([id]);
    return answer;
  }

  override async extend(leases: readonly LeaseRef[], leaseMs: number) {
    const answers = await super.extend(leases.map(this.#kept), leaseMs);
    return answers.map((answer, index) => {
      const id = leases[index]?.id ?? '';
      return answer === 'lost' ? answer : this.#revision(id, answer);
    });
  }

  override release(leases: readonly Release[]) {
    return super.release(leases.map(this.#kept));
  }

  override async settle(settlements: readonly Settlement[]) {
    const kept = settlements.map((settlement) => ({
      ...this.#kept(settlement),
      revision: this.#revisions.keep(settlement.id, settlement.revision),
    }));
    const answers = await super.settle(kept);
    for (const [index, { id, next, spawn }] of settlements.entries()) {
      if (answers[index] !== 'settled') continue;
      if (!next) this.gone(id, 'settlement');
      await this.get([id, ...spawn.map((record) => record.id)]);
    }
    return answers;
  }

  override async remove(selector: TaskSelector) {
    const { tasks } = await super.list({ limit: 100_000 });
    const removed = await super.remove(selector);
    const left = new Set((await super.list({ limit: 100_000 })).tasks.map(({ id }) => id));
    const how = 'ids' in selector ? 'ids' : 'group' in selector ? 'group' : 'all';
    for (const { id } of tasks) if (!left.has(id)) this.gone(id, how);
    return removed;
  }

  readonly #kept = <T extends LeaseRef>(lease: T): T => ({
    ...lease,
    token: this.#tokens.keep(lease.id, lease.token),
  });

  #revision(id: string, kept: number): number {
    return this.#revisions.show(id, kept, () => {
      const revision = this.nextRevision(id);
      this.lastRevisions.set(id, revision);
      return revision;
    });
  }

  #show<T extends TaskRecord>(task: T): T {
    const { id, lease } = task;
    const revision = this.#revision(id, task.revision);
    if (!lease) return { ...task, revision };
    const token = this.#tokens.show(id, lease.token, () => {
      const next = this.nextToken(id);
      this.lastTokens.set(id, next);
      return next;
    });
    return { ...task, revision, lease: { ...lease, token } };
  }
}
