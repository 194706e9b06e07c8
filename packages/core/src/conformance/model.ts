import { isDeepStrictEqual } from 'node:util';
import type {
  ClaimRequest,
  ClaimResult,
  LeaseRef,
  NewTaskRecord,
  Release,
  Settlement,
  TaskFilter,
  TaskRecord,
  TaskSelector,
} from '../data-store.js';
import type { Call } from './blame.js';
import { guaranteeOfRecord, recordSentences } from './blame.js';
import { holds, plain, plainLease, same } from './check.js';
import { ModelHistory } from './model-history.js';

/** A task in the model: what the contract says about it, and what the model must remember to say it. */
interface ModelTask extends Omit<TaskRecord, 'revision' | 'wakeAt'> {
  /** Undefined after a call has changed it, until the store has shown which one it chose. */
  revision: number | undefined;
  settledToken: number | undefined;
}

/**
 * The contract, written a second time as plainly as possible: a map of tasks, scanned from end to end.
 *
 * Where the contract leaves a choice (which token, which revision, which of several tasks with the same moment), the
 * model looks at what the store chose and checks it against the rules for that choice.
 */
export class Model {
  readonly tasks = new Map<string, ModelTask>();
  readonly history = new ModelHistory();
  readonly #revisions = new Map<string, Set<number>>();
  readonly #lastToken = new Map<string, number>();

  /** Begins with a task as a store holds it, whose last settlement had none of the tokens to come. */
  adopt({ wakeAt: _wakeAt, ...task }: TaskRecord): void {
    this.tasks.set(task.id, { ...task, settledToken: undefined });
    this.#revisions.set(task.id, new Set([task.revision]));
    if (task.lease) this.#lastToken.set(task.id, task.lease.token);
  }

  insert(records: readonly NewTaskRecord[]): ('inserted' | 'exists')[] {
    return records.map((record) => {
      if (this.tasks.has(record.id)) return 'exists';
      this.tasks.set(record.id, {
        ...record,
        resumedAt: null,
        lease: null,
        deliveries: 0,
        revision: undefined,
        settledToken: undefined,
      });
      return 'inserted';
    });
  }

  update(id: string, change: Partial<NewTaskRecord>, revision: number) {
    const task = this.tasks.get(id);
    if (!task) return 'missing';
    if (task.revision !== revision) return 'conflict';
    this.tasks.set(id, { ...task, ...change, revision: undefined });
    return 'updated';
  }

  remove(selector: TaskSelector): number {
    const selected = this.#select(selector);
    for (const { id } of selected) this.tasks.delete(id);
    return selected.length;
  }

  setPaused(selector: TaskSelector, paused: boolean, now: number): number {
    const changed = this.#select(selector).filter((task) => task.paused !== paused);
    for (const task of changed) {
      const resumedAt = paused ? task.resumedAt : now;
      this.tasks.set(task.id, { ...task, paused, resumedAt });
    }
    return changed.length;
  }

  /** Checks the answer of a claim against the rules, and makes the same changes. */
  claim(request: ClaimRequest, answer: ClaimResult, now: number): void {
    this.take(request, answer, now);
    this.#wakesBy(request.queues, answer.nextWakeAt);
  }

  /** Like {@link claim}, for one that other calls were made beside: what it says of the time after it is open. */
  take({ queues, limit, owner, leaseMs }: ClaimRequest, answer: ClaimResult, now: number): void {
    same(answer.now, now, 'claim gives the time of the store', 'G4');
    const due = [...this.tasks.values()]
      .filter((task) => queues.includes(task.queue) && isDue(task, now))
      .map((task) => placeOf(task, queues))
      .sort((a, b) => a.queue - b.queue || a.wakeAt - b.wakeAt)
      .slice(0, limit);
    const taken = answer.tasks.map(({ id }) => placeOf(this.#due(id, now), queues));
    const order = 'the first `limit` due tasks are taken, by queue and then by wakeAt';
    same(taken, due, order, 'G5');
    for (const claimed of answer.tasks) {
      const { id, lease, lapsedOwner } = claimed;
      const task = this.#due(id, now);
      const { token } = lease;
      const given = { token, owner, expiresAt: now + leaseMs };
      same(plainLease(lease), given, 'a lease is as it was asked for', 'G2');
      const lapsed = task.lease?.owner ?? null;
      same(lapsedOwner, lapsed, 'lapsedOwner is whoever let a lease run out', 'G3');
      const last = this.#lastToken.get(id) ?? Number.NEGATIVE_INFINITY;
      const greater = `a token is greater than any that the id ever had: ${token}, ${last}`;
      holds(token > last, greater, 'G2');
      this.#lastToken.set(id, token);
      this.tasks.set(id, { ...task, lease: given, deliveries: task.deliveries + 1 });
      this.compare('claim', id, claimed);
    }
  }

  extend(
    leases: readonly LeaseRef[],
    leaseMs: number,
    now: number,
  ): (number | undefined | 'lost')[] {
    return leases.map(({ id, token }) => {
      const task = this.tasks.get(id);
      if (task?.lease?.token !== token) return 'lost';
      this.tasks.set(id, { ...task, lease: { ...task.lease, expiresAt: now + leaseMs } });
      return task.revision;
    });
  }

  settle(settlements: readonly Settlement[]): ('settled' | 'conflict' | 'lost')[] {
    this.history.begin();
    return settlements.map(({ id, token, revision, next, history, spawn }) => {
      const task = this.tasks.get(id);
      if (task?.settledToken === token) return 'settled';
      if (task?.lease?.token !== token) return 'lost';
      if (task.revision !== revision) return 'conflict';
      if (next) {
        const changed = { ...next, paused: next.paused ?? task.paused, revision: undefined };
        this.tasks.set(id, {
          ...task,
          ...changed,
          lease: null,
          deliveries: 0,
          settledToken: token,
        });
      } else {
        this.tasks.delete(id);
      }
      this.history.append(history, settlements.length > 1);
      this.insert(spawn);
      return 'settled';
    });
  }

  release(leases: readonly Release[]): ('released' | 'lost')[] {
    return leases.map(({ id, token, deferUntil }) => {
      const task = this.tasks.get(id);
      if (task?.lease?.token !== token) return 'lost';
      const isDeferred = deferUntil !== undefined && task.runAt !== null && task.runAt < deferUntil;
      const runAt = isDeferred ? deferUntil : task.runAt;
      this.tasks.set(id, { ...task, lease: null, deliveries: task.deliveries - 1, runAt });
      return 'released';
    });
  }

  /** Returns the ids of the tasks that match, sorted. */
  list({ group, name, queue, status, paused, leased }: TaskFilter, now: number): string[] {
    const matching = [...this.tasks.values()].filter(
      (task) =>
        (group === undefined || task.group === group) &&
        (name === undefined || task.name === name) &&
        (queue === undefined || task.queue === queue) &&
        (status === undefined || task.status === status) &&
        (paused === undefined || task.paused === paused) &&
        (leased === undefined || isLeased(task, now) === leased),
    );
    return matching.map(({ id }) => id).sort();
  }

  /** Notes a revision that the store has chosen, and returns the record as the contract defines it. */
  expected(id: string, stored: TaskRecord | undefined): TaskRecord | undefined {
    const task = this.tasks.get(id);
    if (!task) return undefined;
    if (task.revision === undefined && stored) {
      const { revision } = stored;
      const used = this.#revisions.get(id) ?? new Set();
      const fresh = `a changed record has a revision that its id never had: ${id} ${revision}`;
      holds(!used.has(revision), fresh, 'G6');
      this.#revisions.set(id, used.add(revision));
      task.revision = revision;
    }
    const { settledToken: _settledToken, revision = Number.NaN, ...record } = task;
    return { ...record, revision, wakeAt: wakeAt(task) };
  }

  /** Requires that a record is stored as the contract says. */
  compare(call: Call, id: string, stored: TaskRecord | undefined): void {
    const actual = plain(stored);
    const expected = this.expected(id, stored);
    if (isDeepStrictEqual(actual, expected)) return;
    const sentence = `after ${call} the task ${id} is as the contract says: ${recordSentences[call]}`;
    same(actual, expected, sentence, guaranteeOfRecord(call, actual, expected));
  }

  #due(id: string, now: number): ModelTask {
    const task = this.tasks.get(id);
    holds(task !== undefined, `a claim takes no task that was removed: ${id}`, 'G6');
    const { lease, paused, status } = task;
    holds(!paused, `a claim takes no paused task: ${id}`, 'G6');
    holds(status === 'scheduled', `a claim takes no task that has ended: ${id}`, 'G6');
    const isLive = lease !== null && now < lease.expiresAt;
    holds(!isLive, `a claim takes no task under a live lease, nor one twice: ${id}`, 'G2');
    holds(isDue(task, now), `a claim takes no task before its time: ${id}`, 'G4');
    return task;
  }

  #select(selector: TaskSelector): ModelTask[] {
    if ('ids' in selector) {
      return [...new Set(selector.ids)].flatMap((id) => this.tasks.get(id) ?? []);
    }
    const tasks = [...this.tasks.values()];
    if ('group' in selector) return tasks.filter(({ group }) => group === selector.group);
    return tasks;
  }

  #wakesBy(queues: readonly string[], nextWakeAt: number | null): void {
    const moments = [...this.tasks.values()]
      .filter((task) => queues.includes(task.queue))
      .map(wakeAt)
      .filter((moment) => moment !== null);
    const earliest = moments.length === 0 ? null : Math.min(...moments);
    const isInTime = earliest === null || (nextWakeAt !== null && nextWakeAt <= earliest);
    const never = `nextWakeAt is never later than the earliest: ${nextWakeAt}, ${earliest}`;
    holds(isInTime, never, 'G5');
    const isNothing = earliest === null && nextWakeAt !== null;
    holds(!isNothing, `nextWakeAt is null when no task has a wakeAt: ${nextWakeAt}`, 'G5');
  }
}

function placeOf(task: ModelTask, queues: readonly string[]) {
  return { queue: queues.indexOf(task.queue), wakeAt: wakeAt(task) ?? 0 };
}

function wakeAt(task: ModelTask): number | null {
  if (task.status !== 'scheduled') return null;
  if (task.paused) return null;
  if (task.lease) return task.lease.expiresAt;
  return task.runAt;
}

function isLeased({ lease }: ModelTask, now: number): boolean {
  return lease !== null && now < lease.expiresAt;
}

function isDue(task: ModelTask, now: number): boolean {
  const moment = wakeAt(task);
  return moment !== null && moment <= now;
}
