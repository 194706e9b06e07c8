import { isDeepStrictEqual } from 'node:util';
import type {
  ClaimedTask,
  DataStore,
  HistoryEntry,
  Settlement,
  TaskRecord,
} from '../data-store.js';
import { answerSentences, guaranteeOfAnswer } from './blame.js';
import { same } from './check.js';
import type { VirtualClock } from './harness.js';
import { start } from './harness.js';
import { Model } from './model.js';
import type { Claimed, Operation } from './operations.js';
import { logId, taskIds } from './operations.js';
import { listAll } from './pages.js';
import { lineOf } from './script.js';

/** Runs operations on a store and on the model, and compares their answers and contents. */
export class Comparison {
  /** What was called so far, as lines of TypeScript. */
  readonly script: string[] = [];
  readonly #store: DataStore;
  readonly #model = new Model();
  readonly #clock: VirtualClock;
  readonly #claimed: ClaimedTask[] = [];
  /** The records as last seen. Edits are based on them. */
  #seen = new Map<string, TaskRecord>();
  #settlements = 0;

  constructor(store: DataStore, clock: VirtualClock) {
    this.#store = store;
    this.#clock = clock;
  }

  async run(operation: Operation): Promise<void> {
    const { call } = operation;
    const [answer, expected] = await this.#call(operation);
    const [one, other] = difference(answer, expected);
    const sentence = `${call} answers as the contract says: ${answerSentences[call]}`;
    same(answer, expected, sentence, guaranteeOfAnswer(call, other ?? one));
    const stored = await this.#store.get(taskIds);
    for (const [index, id] of taskIds.entries()) this.#model.compare(call, id, stored[index]);
    this.#seen = new Map(stored.flatMap((task) => (task ? [[task.id, task]] : [])));
  }

  /** Reads every history to its end. */
  async compareHistories(): Promise<void> {
    for (const id of [...taskIds, logId]) await this.run({ call: 'history', id, limit: 1000 });
  }

  /** Returns the store's answer, and the one that the model expects. */
  async #call(operation: Operation): Promise<[unknown, unknown]> {
    const store = this.#store;
    const model = this.#model;
    const { now } = this.#clock;
    switch (operation.call) {
      case 'advance':
        this.#clock.advance(operation.ms);
        this.script.push(`clock.advance(${operation.ms});`);
        return [await store.now(), this.#clock.now];
      case 'insert': {
        const { records } = operation;
        const answer = await this.#made('insert', [records], () => store.insert(records));
        return [answer, model.insert(records)];
      }
      case 'update': {
        const { id, change, off } = operation;
        const revision = (this.#seen.get(id)?.revision ?? 0) + off;
        const update = () => store.update(id, change, { revision });
        const answer = await this.#made('update', [id, change, { revision }], update);
        return [answer, model.update(id, change, revision)];
      }
      case 'remove': {
        const { selector } = operation;
        const answer = await this.#made('remove', [selector], () => store.remove(selector));
        return [answer, model.remove(selector)];
      }
      case 'setPaused': {
        const { selector, paused } = operation;
        const set = () => store.setPaused(selector, paused);
        const answer = await this.#made('setPaused', [selector, paused], set);
        return [answer, model.setPaused(selector, paused, now)];
      }
      case 'claim': {
        const { queues, limit, leaseMs } = operation;
        const request = { queues, limit, leaseMs, owner: `owner-${this.#claimed.length}` };
        const answer = await this.#made(
          'claim',
          [request],
          () => store.claim(request),
          ({ tasks }) => tasks.map(({ id, lease }) => ({ id, token: lease.token })),
        );
        model.claim(request, answer, now);
        this.#claimed.push(...answer.tasks);
        return [undefined, undefined];
      }
      case 'extend': {
        const { leaseMs } = operation;
        const leases = this.#leases(operation.leases).map(({ id, token }) => ({ id, token }));
        const extend = () => store.extend(leases, leaseMs);
        const answer = await this.#made('extend', [leases, leaseMs], extend);
        return [answer, model.extend(leases, leaseMs, now)];
      }
      case 'release': {
        const { deferMs } = operation;
        const deferUntil = deferMs === undefined ? {} : { deferUntil: now + deferMs };
        const leases = this.#leases(operation.leases).map(({ id, token }) => ({
          id,
          token,
          ...deferUntil,
        }));
        const answer = await this.#made('release', [leases], () => store.release(leases));
        return [answer, model.release(leases)];
      }
      case 'settle': {
        const settlements = this.#leases(operation.leases).map((lease) =>
          this.#settlement(operation, lease, now),
        );
        const answer = await this.#made('settle', [settlements], () => store.settle(settlements));
        return [answer, model.settle(settlements)];
      }
      case 'list': {
        const { filter, limit } = operation;
        const matching = model.list(filter, now);
        const counted = await this.#made('count', [filter], () => store.count(filter));
        same(counted, matching.length, 'count counts the tasks that match', 'G1');
        const list = async () => (await listAll(store, filter, limit)).map(({ id }) => id);
        const found = await this.#made('list', [{ ...filter, limit }], list);
        return [found.sort(), matching];
      }
      case 'history': {
        const { id, limit } = operation;
        const read = async () => (await store.history(id, limit)).map((entry) => entry.id);
        const found = await this.#made('history', [id, limit], read);
        const kept = store.capabilities.history ? model.history.newest(id, limit, found) : [];
        return [found, kept];
      }
    }
  }

  /** Makes a call, and writes it down, with its answer once there is one. */
  async #made<T>(
    call: string,
    args: readonly unknown[],
    run: () => Promise<T>,
    shown: (answer: T) => unknown = (answer) => answer,
  ): Promise<T> {
    const index = this.script.push(lineOf(call, args)) - 1;
    const answer = await run();
    this.script[index] = lineOf(call, args, shown(answer));
    return answer;
  }

  #leases(leases: readonly Claimed[]) {
    return leases.flatMap(({ back, shift }) => {
      const task = this.#claimed.at(-1 - (back % Math.max(1, this.#claimed.length)));
      if (!task) return [];
      return [{ id: task.id, token: task.lease.token + shift, revision: task.revision }];
    });
  }

  #settlement(
    { isFresh, become, runMs, isLogged, spawn }: Operation & { readonly call: 'settle' },
    { id, token, revision }: { readonly id: string; readonly token: number; revision: number },
    now: number,
  ): Settlement {
    const number = this.#settlements++;
    // Some of these entries exist already.
    const own = { taskId: id, id: `run-${number % 12}`, at: now, body: '{}' };
    const logged = { taskId: logId, id: `${id}-${number % 10}`, at: start + number, body: '{}' };
    const history: HistoryEntry[] = isLogged ? [own, logged] : [own];
    return {
      id,
      token,
      revision: isFresh ? (this.#seen.get(id)?.revision ?? revision) : revision,
      next: nextState(become, now + runMs),
      history,
      spawn,
    };
  }
}

/** The first two items in which two lists differ, or what they are if they are no lists. */
function difference(answer: unknown, expected: unknown): readonly [unknown, unknown] {
  if (!Array.isArray(answer) || !Array.isArray(expected)) return [answer, expected];
  const index = expected.findIndex((each, at) => !isDeepStrictEqual(each, answer[at]));
  return [answer[index], expected[index]];
}

function nextState(
  become: (Operation & { readonly call: 'settle' })['become'],
  runAt: number,
): Settlement['next'] {
  const body = `"${become}"`;
  switch (become) {
    case 'removed':
      return null;
    case 'paused':
      return { status: 'scheduled', runAt, body, paused: true };
    case 'again':
      return { status: 'scheduled', runAt, body };
    default:
      return { status: become, runAt: null, body };
  }
}
