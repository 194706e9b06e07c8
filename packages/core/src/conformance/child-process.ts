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
import type { ConformanceProcess } from './types.js';

/**
 * The script of a child process. It opens the store and answers one call per line, in the given order. `work` is a loop
 * in the child, so that many children collide at full speed. It claims tasks, settles each of them `runs` times and
 * notes its tokens in their bodies, until no task is left.
 */
const script = `
import { createInterface } from 'node:readline';

const { module, argument } = JSON.parse(process.argv[1]);
const { default: connect } = await import(module);
const store = await connect(argument);
await store.open();

const settlementOf = (task, now, runs) => {
  const tokens = [...JSON.parse(task.body), task.lease.token];
  const body = JSON.stringify(tokens);
  const next = tokens.length < runs
    ? { status: 'scheduled', runAt: now, body }
    : { status: 'finished', runAt: null, body };
  return { id: task.id, token: task.lease.token, revision: task.revision, next, history: [], spawn: [] };
};

const work = async (owner, leaseMs, runs, seconds) => {
  const accepted = [];
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    if (Date.now() > deadline) throw new Error('after ' + seconds + ' seconds there is still work');
    const { tasks, now, nextWakeAt } = await store.claim({ queues: ['q'], limit: 3, owner, leaseMs });
    if (tasks.length === 0 && nextWakeAt === null) return accepted;
    const answers = await store.settle(tasks.map((task) => settlementOf(task, now, runs)));
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
  process.stdout.write(JSON.stringify(answer ?? null) + '\\n');
}
`;

/** A separate process with a handle on the place, in real time. */
export class ChildProcess {
  readonly #process: ReturnType<typeof spawn>;
  readonly #answers: AsyncIterator<string>;
  readonly #lines: Interface;
  readonly #ended: Promise<void>;
  #complaint = '';

  constructor(target: ConformanceProcess) {
    const { module, argument } = target;
    this.#process = spawn(
      process.execPath,
      ['--input-type=module', '--eval', script, JSON.stringify({ module, argument })],
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
   */
  work(owner: string, leaseMs: number, runs: number, seconds: number): Promise<LeaseRef[]> {
    return this.#call('work', owner, leaseMs, runs, seconds);
  }

  /** Kills the process at once, whatever it is doing. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  async #call<T>(call: string, ...args: unknown[]): Promise<T> {
    this.#process.stdin?.write(`${JSON.stringify([call, ...args])}\n`);
    const { done, value } = await this.#answers.next();
    if (done) {
      await this.#ended;
      throw new Error(`a process that was to ${call} ended without an answer:\n${this.#complaint}`);
    }
    return JSON.parse(value);
  }
}
