import { MemoryDataStore } from '@sched/memory';
import type { HistoryEvent } from '../../src/conformance/index.js';
import {
  type Clock,
  createScheduler,
  cron,
  type DataStore,
  defineTask,
  every,
  type Policies,
  type RetryPolicy,
  type RunContext,
  SchedError,
  type Scheduler,
  type TaskDefinition,
} from '../../src/index.js';
import { createTestClock } from '../../src/testing/index.js';
import { fraction } from '../../src/trigger.js';
import { createTriggerRegistry } from '../../src/trigger-registry.js';
import { at } from '../../src/triggers/at.js';
import { violationsIn } from './cluster-history.js';
import { type ClusterLog, observeReports, observeRun, observeStore } from './cluster-log.js';
import { type Interceptor, interceptStore } from './intercepted-store.js';
import { numbers } from './random.js';

/** What a handler is told to do by its payload. Everything else is chance, derived from the seed and the run. */
export interface Work {
  /** The longest that it may take. */
  readonly upToMs: number;
  /** How many attempts in a hundred fail. */
  readonly failing: number;
  readonly version: number;
}

/** A process of the cluster. */
export interface Member {
  readonly name: string;
  readonly scheduler: Scheduler;
  /** `cut`: it cannot reach the store. `dead`: it has vanished, with all that it was doing. */
  state: 'up' | 'cut' | 'dead';
  /** Until then nothing happens in it, as when its machine is suspended. */
  frozenUntil: number;
}

type Process = Omit<Member, 'scheduler'>;

export interface ClusterOptions {
  readonly seed: number;
  /** How many calls in a thousand go wrong. */
  readonly faults: number;
  /** Comes between the members and the store, to see whether the judge notices. */
  readonly sabotage?: (store: DataStore) => Interceptor;
}

/** What contradicts the promises: nothing, it is to be hoped. And how much of what there was. */
interface Verdict {
  readonly violations: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
  readonly pendingTimers: number;
}

/** Retries without jitter, which depends on the id: that of a task that is run now is another in each simulation. */
const retry = (
  limit: number,
  min: string,
  more: RetryPolicy = {},
): { readonly retry: RetryPolicy } => ({
  retry: { limit, min, max: '1m', jitter: 0, ...more },
});

/** Kinds of tasks, each with other policies. */
const kinds: Readonly<Record<string, Policies>> = {
  plain: retry(3, '1s'),
  patient: retry(2, '5s', { backoff: 'fixed' }),
  once: { delivery: 'atMostOnce' },
  queueOne: { overlap: 'queueOne', retry: 0 },
  queueAll: { overlap: 'queueAll', catchUp: 'all', ...retry(1, '2s') },
  allow: { overlap: { mode: 'allow', maxRunning: 2 }, ...retry(1, '1s') },
  allowAll: { overlap: 'allow', catchUp: { mode: 'all', limit: 5 }, retry: 0 },
  replace: { overlap: 'replace', catchUp: 'none', retry: 0 },
  timed: { timeout: '20s', catchUp: { mode: 'all', window: '5m' }, ...retry(1, '1s') },
  picky: {
    catchUp: { mode: 'none', grace: '10s' },
    ...retry(1, '1s', { whenExhausted: 'pause' }),
  },
  kept: { keepFinished: true, ...retry(1, '1s') },
};
export const kindNames = Object.keys(kinds);

/** Schedulers on one memory store, in virtual time, with all that can happen to them. */
export class Cluster {
  readonly clock = createTestClock();
  readonly random: () => number;
  readonly members: Member[] = [];
  /** Asks the store for what users ask for, and never fails. */
  readonly client: Scheduler;
  readonly #options: ClusterOptions;
  readonly #log: ClusterLog = [];
  readonly #store: DataStore;
  readonly #shapes: ReadonlyMap<string, TaskDefinition<Work>>;
  #memberCount = 0;
  #isCalm = false;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.random = numbers(options.seed);
    const { clock } = this;
    const memory = new MemoryDataStore({ clock: clock.now, historyLimit: 50 });
    const store = interceptStore(memory, async (call, proceed) =>
      // It outlives its users.
      call === 'close' ? undefined : proceed(),
    );
    const observed = observeStore(store, clock.now, this.#log);
    this.#store = options.sabotage ? interceptStore(observed, options.sabotage(memory)) : observed;
    this.#shapes = this.#define(() => undefined);
    this.client = createScheduler({
      ...{ store: this.#store, clock, triggers: [every, cron], owner: 'client' },
      tasks: [...this.#shapes.values()],
    });
  }

  shape(kind: string): TaskDefinition<Work> {
    const shape = this.#shapes.get(kind);
    if (!shape) throw new Error(`There is no kind ${kind}.`);
    return shape;
  }

  /** True so many times in a hundred. */
  chance(percent: number): boolean {
    return this.random() * 100 < percent;
  }

  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  async join(): Promise<Member> {
    const name = `m${++this.#memberCount}`;
    const { clock, random } = this;
    const member: Process = { name, state: 'up', frozenUntil: 0 };
    const tasks = this.#define((work) => this.#handle(member, work));
    // A rolling deploy: some do not know all the kinds.
    const known = this.chance(25) ? [...tasks.values()].slice(0, -1) : [...tasks.values()];
    const scheduler = createScheduler({
      store: this.#faulty(member),
      clock: this.#clockOf(member),
      ...{ tasks: known, triggers: [every, cron], random, owner: name, announce: false },
      concurrency: 1 + this.below(8),
      prefetch: this.below(20),
      lease: 5000 + this.below(15_000),
      storeTimeout: 1000 + this.below(10_000),
      abortGrace: 1000 + this.below(5000),
    });
    const joined = Object.assign(member, { scheduler });
    observeReports(scheduler, clock.now, this.#log);
    this.members.push(joined);
    await this.settled(scheduler.start());
    return joined;
  }

  /** Takes a member out of the cluster: in good order, or with all that it was doing. */
  async leave(member: Member, isKilled: boolean): Promise<void> {
    this.members.splice(this.members.indexOf(member), 1);
    if (isKilled) member.state = 'dead';
    // Also for the dead, whose timers would otherwise haunt the clock.
    const stopped = member.scheduler.stop({ deadline: isKilled ? 1 : 1 + this.below(20_000) });
    if (isKilled) void stopped;
    else await this.settled(stopped);
  }

  /** Waits for a promise while time passes. */
  async settled(promise: Promise<unknown>): Promise<void> {
    let isSettled = false;
    const settle = () => {
      isSettled = true;
    };
    promise.then(settle, settle);
    await this.clock.runUntil(() => isSettled);
  }

  /** No more faults. */
  calm(): void {
    this.#isCalm = true;
    for (const member of this.members) if (member.state === 'cut') member.state = 'up';
  }

  /** Ends it, and judges all that has happened. */
  async end(): Promise<Verdict> {
    const endedAt = this.clock.now();
    for (const member of [...this.members]) {
      this.members.splice(this.members.indexOf(member), 1);
      await this.settled(member.scheduler.stop({ deadline: '10m' }));
    }
    await this.client.stop();
    const definitions = {
      triggers: createTriggerRegistry([at, every, cron]),
      policiesOf: (name: string) => this.shape(name).policies,
    };
    const { events, violations } = violationsIn(this.#log, definitions, endedAt);
    return { violations, counts: countsOf(events), pendingTimers: this.clock.pendingTimers };
  }

  #define(handler: (run: RunContext<Work>) => unknown): ReadonlyMap<string, TaskDefinition<Work>> {
    return new Map(
      Object.entries(kinds).map(([kind, policies]) => [
        kind,
        defineTask<Work>(kind, { handler, ...policies }),
      ]),
    );
  }

  /** A clock of the member's own: it began at another time, and what fires in it waits while it is frozen. */
  #clockOf(member: Process): Clock {
    const { clock } = this;
    const offsetMs = this.below(1e9);
    const set = (handle: { timer?: unknown }, callback: () => void, delayMs: number) => {
      handle.timer = clock.setTimeout(() => {
        const leftMs = member.frozenUntil - clock.now();
        if (leftMs > 0) set(handle, callback, leftMs);
        else callback();
      }, delayMs);
      return handle;
    };
    return {
      elapsed: () => offsetMs + clock.elapsed(),
      setTimeout: (callback, delayMs) => set({}, callback, delayMs),
      clearTimeout: (handle) => clock.clearTimeout((handle as { timer?: unknown })?.timer),
      ...(clock.hold && { hold: clock.hold }),
    };
  }

  async #thawed(member: Process): Promise<void> {
    const leftMs = member.frozenUntil - this.clock.now();
    if (leftMs > 0) await this.clock.sleep(leftMs);
  }

  async #handle(member: Process, run: RunContext<Work>): Promise<void> {
    // What a process does after its death does not count.
    if (member.state === 'dead') return;
    const { clock } = this;
    const observer = { now: clock.now, log: this.#log, isDead: () => this.#isDead(member) };
    await observeRun(run, observer, () => this.#work(member, run));
  }

  async #work(member: Process, { payload, token, signal }: RunContext<Work>): Promise<void> {
    const { clock } = this;
    const chance = (of: string) => fraction(`${this.#options.seed} ${token} ${of}`);
    const lengthMs = Math.floor(payload.upToMs * chance('length') ** 3);
    const isDeaf = chance('deaf') < 0.1;
    if (lengthMs > 0) {
      await clock.sleep(lengthMs, isDeaf ? {} : { signal }).finally(() => this.#thawed(member));
    }
    if (chance('fails') * 100 < payload.failing) throw new Error('as told');
  }

  #isDead({ state }: Process): boolean {
    return state === 'dead';
  }

  #faulty(member: Process): DataStore {
    const { clock, random } = this;
    const never = async (): Promise<never> => {
      await clock.sleep(Number.POSITIVE_INFINITY);
      throw new Error('it was to wait for ever');
    };
    const call = async (apply: () => Promise<unknown>) => {
      if (member.state === 'dead') return never();
      if (member.state === 'cut') throw new SchedError('SCHED_STORE_UNAVAILABLE', 'cut off');
      if (this.#isCalm || random() * 1000 >= this.#options.faults) return apply();
      const fault = Math.floor(random() * 7);
      if (fault === 0) throw new SchedError('SCHED_STORE_UNAVAILABLE', 'not applied');
      if (fault === 1) return never();
      // The rest are requests and answers that are slow, or lost on their way.
      if (fault === 2) await clock.sleep(1 + Math.floor(random() * 20_000));
      if (this.#isDead(member)) return never();
      const answer = await apply();
      if (fault === 3) throw new Error('the answer was lost');
      if (fault === 4) return never();
      if (fault >= 5) await clock.sleep(1 + Math.floor(random() * (fault === 5 ? 500 : 20_000)));
      return this.#isDead(member) ? never() : answer;
    };
    return interceptStore(this.#store, (_, proceed) =>
      call(proceed).finally(() => this.#thawed(member)),
    );
  }
}

/** How many events of each type there were, and recorded outcomes of each kind. */
function countsOf(events: readonly HistoryEvent[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const event of events) {
    const what = event.type === 'recorded' ? event.outcome : event.type;
    counts[what] = (counts[what] ?? 0) + 1;
  }
  return counts;
}
