import type {
  ClaimResult,
  DataStore,
  DataStoreCapabilities,
  LeaseRef,
  Release,
  Settlement,
} from '../data-store.js';
import { SchedError } from '../errors.js';
import type { RunContext, Scheduler } from '../index.js';
import { createScheduler } from '../index.js';
import type { TestClock } from '../testing/index.js';
import { createTestClock } from '../testing/index.js';
import { holds } from './check.js';
import type { Bench } from './harness.js';
import { start } from './harness.js';
import { interceptStore } from './intercept.js';
import type { Random } from './random.js';
import { recordedOutcome } from './recorded-outcome.js';
import type { DeclaredTask, HistoryEvent, HistoryRun } from './run-history.js';
import type { Work } from './worker-tasks.js';
import { workTask } from './worker-tasks.js';

/** Many times as many calls as it takes. */
const callLimit = 4000;

/** A worker of the cluster. `cut`: it cannot reach the store. `dead`: it has vanished with all that it was doing. */
interface Member {
  readonly scheduler: Scheduler;
  state: 'up' | 'cut' | 'dead';
}

/** Real workers with a handle each, in virtual time, and all that can happen to them. */
export class Cluster {
  readonly clock: TestClock;
  readonly client: Scheduler;
  readonly capabilities: DataStoreCapabilities;
  /** What was seen, in the order in which it happened. */
  readonly events: HistoryEvent[] = [];
  readonly #bench: Bench;
  readonly #random: Random;
  readonly #isSerial: boolean;
  readonly #members: Member[] = [];
  readonly #freed = new Set<number>();
  #last: Promise<unknown> = Promise.resolve();
  #joined = 0;
  #calls = 0;
  #isCalm = false;

  private constructor(
    bench: Bench,
    random: Random,
    isSerial: boolean,
    clock: TestClock,
    own: DataStore,
  ) {
    this.#bench = bench;
    this.#random = random;
    this.#isSerial = isSerial;
    this.clock = clock;
    this.capabilities = own.capabilities;
    this.client = createScheduler({
      ...{ store: this.#observed(own), clock, tasks: [workTask()], owner: 'client' },
    });
  }

  /** @param isSerial whether the store gets one call after another, so that what it answered can be put in order */
  static async create(bench: Bench, random: Random, isSerial: boolean): Promise<Cluster> {
    const clock = createTestClock(start, { patience: '2m' });
    return new Cluster(bench, random, isSerial, clock, await bench.openAt(clock.now));
  }

  async join(): Promise<void> {
    const name = `worker-${++this.#joined}`;
    const handle = this.#observed(await this.#bench.openAt(this.clock.now));
    const process: Pick<Member, 'state'> = { state: 'up' };
    const scheduler = createScheduler({
      store: this.#faulty(process, handle),
      clock: this.clock,
      tasks: [workTask((run) => this.#handle(process, run))],
      ...{ owner: name, announce: false },
      ...{ concurrency: 4, prefetch: 5, lease: 5000, pollInterval: 2000 },
      ...{ storeTimeout: 2000, abortGrace: 1000, random: () => this.#random.below(1000) / 1000 },
    });
    scheduler.on('succeeded', ({ id, token, nominal, attempt }) => {
      this.events.push({
        ...{ type: 'acknowledged', ...namesOf(id), token, attempt },
        nominal: nominal.getTime(),
      });
    });
    scheduler.on('storeError', ({ call, error: { code } }) => {
      this.events.push({ type: 'refused', owner: name, call, code });
    });
    this.#members.push(Object.assign(process, { scheduler }));
    await this.settled(scheduler.start());
  }

  /** A worker vanishes, and another joins. */
  async replaceOne(): Promise<void> {
    const victim = this.#members.splice(this.#random.below(this.#members.length), 1)[0];
    if (victim) vanish(victim);
    await this.join();
  }

  /** A worker cannot reach the store for a while. */
  cutOne(forMs: number): void {
    const victim = this.#random.pick(this.#members);
    victim.state = 'cut';
    this.clock.setTimeout(() => {
      if (victim.state === 'cut') victim.state = 'up';
    }, forMs);
  }

  /** Nothing goes wrong any more. */
  calm(): void {
    this.#isCalm = true;
    for (const member of this.#members) member.state = 'up';
  }

  /** Waits for something while time passes. */
  async settled<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settle = () => {
      isSettled = true;
    };
    promise.then(settle, settle);
    await this.clock.runUntil(() => isSettled);
    return promise;
  }

  /** Whether workers asked the store without end. */
  get isExhausted(): boolean {
    return this.#calls >= callLimit;
  }

  /** Stops all workers, and gives everything that is known of these tasks. */
  async end(declared: readonly DeclaredTask[]): Promise<HistoryEvent[]> {
    for (const { scheduler } of this.#members) await this.settled(scheduler.stop());
    const { client } = this;
    const known: HistoryEvent[] = [];
    for (const { id } of declared) {
      const history = await client.history(id, 100);
      known.push(...history.toReversed().map((info) => recordedOutcome(id, info)));
    }
    for await (const { id, state, lease } of client.list()) {
      known.push({ type: 'left', id, state, leasedTo: lease?.owner ?? null });
    }
    return [...this.events, ...known];
  }

  /** Ends it, whatever goes on in it. */
  abandon(): void {
    for (const member of this.#members) vanish(member);
    void this.client.stop({ deadline: 1 });
  }

  async #handle(process: Pick<Member, 'state'>, run: RunContext<Work>): Promise<void> {
    const { payload, task, token, nominal, attempt, signal } = run;
    const seen: HistoryRun = {
      ...{ ...namesOf(task.id), token, attempt },
      nominal: nominal.getTime(),
    };
    if (isDead(process)) return;
    this.events.push({ type: 'started', ...seen, at: this.clock.now() });
    if (payload.workMs > 0) await this.clock.sleep(payload.workMs, { signal });
    if (isDead(process)) return;
    if (attempt <= payload.failures) {
      this.events.push({ type: 'threw', ...seen });
      throw new Error('as planned');
    }
    this.events.push({ type: 'returned', ...seen });
  }

  /** A line that some calls are lost on, on their way to the store or back, or late on. */
  #faulty(process: Pick<Member, 'state'>, store: DataStore): DataStore {
    const { clock } = this;
    const never = async (): Promise<never> => {
      await clock.sleep(Number.POSITIVE_INFINITY);
      throw new Error('it was to wait for ever');
    };
    const failed = (what: string) => new SchedError('SCHED_STORE_UNAVAILABLE', what);
    return interceptStore(store, async (_, proceed) => {
      if (isDead(process)) return never();
      if (process.state === 'cut') throw failed('cut off');
      const fate = this.#isCalm ? 99 : this.#random.below(40);
      if (fate === 0) throw failed('not applied');
      if (fate === 1) return never();
      if (fate === 2) await clock.sleep(1 + this.#random.below(4000));
      const answer = await proceed();
      if (fate === 3) throw failed('the answer is lost');
      if (fate === 4 || isDead(process)) return never();
      if (fate === 5) await clock.sleep(1 + this.#random.below(4000));
      return answer;
    });
  }

  /** The place as it is, whose answers are noted down. Its handles are closed when the case ends. */
  #observed(store: DataStore): DataStore {
    return interceptStore(store, async (call, proceed, args) => {
      if (call === 'close') return undefined;
      // What a broken store answers may make workers ask again at once, and for ever.
      holds(++this.#calls < callLimit, `workers get on with what a store answers: ${call}`);
      if (this.#calls % 50 === 0) await new Promise((turn) => setImmediate(turn));
      if (!this.#isSerial) return proceed();
      const answered = this.#last.then(async () => {
        const answer = await proceed();
        this.#note(call, args, answer);
        return answer;
      });
      this.#last = answered.catch(() => {});
      return answered;
    });
  }

  #note(call: string, args: readonly unknown[], answer: unknown): void {
    const at = this.clock.now();
    if (call === 'claim') {
      for (const { id, lease } of (answer as ClaimResult).tasks) {
        const { token, expiresAt } = lease;
        this.events.push({ type: 'claimed', ...namesOf(id), token, at, expiresAt });
      }
    } else if (call === 'extend') {
      const expiresAt = at + Number(args[1]);
      (args[0] as readonly LeaseRef[]).forEach(({ id, token }, index) => {
        if ((answer as readonly unknown[])[index] === 'lost') return;
        this.events.push({ type: 'extended', ...namesOf(id), token, at, expiresAt });
      });
    } else if (call === 'settle' || call === 'release') {
      (args[0] as readonly (Settlement | Release)[]).forEach(({ id, token }, index) => {
        const told = (answer as readonly unknown[])[index];
        // Settled once more is the answer to a call that is made again.
        if ((told !== 'settled' && told !== 'released') || this.#freed.has(token)) return;
        this.#freed.add(token);
        this.events.push({ type: 'freed', ...namesOf(id), token, at });
      });
    }
  }
}

/** An occurrence that was given a task of its own is called `<task>@<nominal time>`. */
function namesOf(id: string): { readonly id: string; readonly child?: string } {
  const parent = id.replace(/@\d+$/, '');
  return parent === id ? { id } : { id: parent, child: id };
}

/** Also ends its timers, which would otherwise go on in the clock. */
function vanish(member: Member): void {
  member.state = 'dead';
  void member.scheduler.stop({ deadline: 1 });
}

// As a function: a state that was looked at may be another after waiting.
function isDead({ state }: Pick<Member, 'state'>): boolean {
  return state === 'dead';
}
