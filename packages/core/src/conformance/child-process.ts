import { spawn } from 'node:child_process';
import type { Interface } from 'node:readline';
import { createInterface } from 'node:readline';
import type {
  ClaimRequest,
  ClaimResult,
  LeaseRef,
  NewTaskRecord,
  Settlement,
} from '../data-store.js';
import type { Waiting } from './limit.js';
import type { ConformanceProcess } from './types.js';

/**
 * The script of a child process. It opens the store and answers one call per line, in the given order. `work` is a loop
 * in the child, so that many children collide at full speed. It claims tasks, settles each of them `runs` times and
 * notes its tokens in their bodies, until no task is left. If it is asked to, it has each settlement spawn a task, too,
 * whose id names the token.
 */
const script = `
import { createInterface } from 'node:readline';

const { module, argument, clockOffsetMs } = JSON.parse(process.argv[1]);
if (clockOffsetMs !== 0) {
  const RealDate = Date;
  const now = () => RealDate.now() + clockOffsetMs;
  globalThis.Date = class extends RealDate {
    constructor(...args) {
      if (args.length === 0) super(now());
      else super(...args);
    }
    static now() {
      return now();
    }
  };
}
const say = (answer) => process.stdout.write(JSON.stringify(answer) + '\\n');
const { default: connect } = await import(module);
say('loaded');
const store = await connect(argument);
await store.open();
say('opened');

const settlementOf = (task, now, runs, spawns) => {
  const tokens = [...JSON.parse(task.body), task.lease.token];
  const body = JSON.stringify(tokens);
  const next = tokens.length < runs
    ? { status: 'scheduled', runAt: now, body }
    : { status: 'finished', runAt: null, body };
  const { id, revision, lease: { token } } = task;
  const note = { id: id + '/' + token, name: 'note', queue: 'notes', group: null };
  const spawn = spawns
    ? [{ ...note, status: 'finished', paused: false, runAt: null, body: '{}' }]
    : [];
  return { id, token, revision, next, history: [], spawn };
};

const work = async (owner, leaseMs, runs, seconds, spawns) => {
  const accepted = [];
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    if (Date.now() > deadline) throw new Error('after ' + seconds + ' seconds there is still work');
    const { tasks, now, nextWakeAt } = await store.claim({ queues: ['q'], limit: 3, owner, leaseMs });
    if (tasks.length === 0 && nextWakeAt === null) return accepted;
    const answers = await store.settle(tasks.map((task) => settlementOf(task, now, runs, spawns)));
    for (const [index, task] of tasks.entries()) {
      if (answers[index] === 'settled') accepted.push({ id: task.id, token: task.lease.token });
    }
    if (tasks.length === 0) {
      await new Promise((wake) => setTimeout(wake, Math.min(Math.max(nextWakeAt - now, 1), 20)));
    }
  }
};

const lines = createInterface({ input: process.stdin });
// Without a parent there is nothing left to do.
lines.on('close', () => process.exit());
for await (const line of lines) {
  const [call, ...args] = JSON.parse(line);
  const answer = call === 'work' ? await work(...args) : await store[call](...args);
  say(answer ?? null);
}
`;

/** A separate process with a handle on the place, in real time. */
export class ChildProcess {
  readonly #process: ReturnType<typeof spawn>;
  readonly #answers: AsyncIterator<string>;
  readonly #lines: Interface;
  readonly #ended: Promise<void>;
  readonly #waiting: Waiting;
  readonly #ready: Promise<void>;
  #complaint = '';

  /** @param clockOffsetMs by how much the clock of the process differs from that of the machine */
  constructor(target: ConformanceProcess, waiting: Waiting, clockOffsetMs = 0) {
    const { module, argument } = target;
    this.#waiting = waiting;
    this.#process = spawn(
      process.execPath,
      [
        '--input-type=module',
        '--eval',
        script,
        JSON.stringify({ module, argument, clockOffsetMs }),
      ],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    this.#ended = new Promise((resolve) => {
      this.#process.once('close', () => resolve());
      this.#process.once('error', (error) => {
        this.#complaint += error.message;
        resolve();
      });
    });
    this.#process.stderr?.on('data', (chunk) => {
      this.#complaint += chunk;
    });
    // Writing to a killed child fails. Its missing answer says enough.
    this.#process.stdin?.on('error', () => {});
    if (!this.#process.stdout) throw new Error('a child has an output');
    this.#lines = createInterface({ input: this.#process.stdout });
    this.#answers = this.#lines[Symbol.asyncIterator]();
    this.#ready = this.#start(module);
    // Whoever calls is told.
    this.#ready.catch(() => {});
  }

  async #start(module: string): Promise<void> {
    await this.#answer(`load ${module}`);
    await this.#answer('open its store');
  }

  insert(records: readonly NewTaskRecord[]): Promise<string[]> {
    return this.#call('insert', records);
  }

  claim(request: ClaimRequest): Promise<ClaimResult> {
    return this.#call('claim', request);
  }

  extend(leases: readonly LeaseRef[], leaseMs: number): Promise<(number | 'lost')[]> {
    return this.#call('extend', leases, leaseMs);
  }

  release(leases: readonly LeaseRef[]): Promise<string[]> {
    return this.#call('release', leases);
  }

  settle(settlements: readonly Settlement[]): Promise<string[]> {
    return this.#call('settle', settlements);
  }

  /**
   * Claims and settles until no task is left, for at most so many seconds. Returns the leases whose settlement was
   * accepted.
   *
   * @param spawns whether each settlement spawns a task
   */
  work(
    owner: string,
    leaseMs: number,
    runs: number,
    seconds: number,
    spawns = false,
  ): Promise<LeaseRef[]> {
    return this.#call('work', owner, leaseMs, runs, seconds, spawns);
  }

  /** Suspends the process, whatever it is doing. */
  pause(): void {
    this.#process.kill('SIGSTOP');
  }

  /** Lets it go on. */
  resume(): void {
    this.#process.kill('SIGCONT');
  }

  /** Kills the process at once, whatever it is doing. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  async #call<T>(call: string, ...args: unknown[]): Promise<T> {
    this.#process.stdin?.write(`${JSON.stringify([call, ...args])}\n`);
    await this.#ready;
    return this.#answer(call);
  }

  async #answer<T>(to: string): Promise<T> {
    const { done, value } = await this.#waiting.for(`a process to ${to}`, () =>
      this.#answers.next(),
    );
    if (done) {
      await this.#ended;
      throw new Error(`a process that was to ${to} ended without an answer:\n${this.#complaint}`);
    }
    return JSON.parse(value);
  }
}
