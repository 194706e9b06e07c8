import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ConformanceProcess } from '@sched/core/conformance';
import type { WorkerArguments } from './worker.ts';

const script = fileURLToPath(new URL('./worker.ts', import.meta.url));

interface Worker {
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
  isReady: boolean;
  isKilled: boolean;
}

/** Worker processes, of which one after another is killed. */
export class Workers {
  /** What no worker should have said, and how none should have ended. */
  readonly problems: string[] = [];
  /** How many have been killed. */
  killed = 0;
  readonly #place: ConformanceProcess;
  readonly #journals: string;
  readonly #workers = new Set<Worker>();
  #started = 0;
  #onKill: (() => void)[] = [];

  constructor(place: ConformanceProcess, journals: string) {
    this.#place = place;
    this.#journals = journals;
  }

  start(): void {
    const name = `worker-${++this.#started}`;
    const args: WorkerArguments = { name, place: this.#place, journals: this.#journals };
    const child = spawn(process.execPath, [script, JSON.stringify(args)], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    const ended = new Promise<void>((resolve) => {
      child.once('close', (code, signal) => {
        this.#workers.delete(worker);
        const isExpected = worker.isKilled ? signal === 'SIGKILL' : code === 0;
        if (!isExpected || output) {
          this.problems.push(`${name} ended with ${code ?? signal}, and said: ${output}`);
          this.#wake();
        }
        resolve();
      });
    });
    const worker: Worker = { child, ended, isReady: false, isKilled: false };
    child.once('message', () => {
      worker.isReady = true;
    });
    this.#workers.add(worker);
  }

  /** Kills the oldest, the youngest or one in between, in turn, and starts another in its place. */
  replaceOne(): void {
    const living = [...this.#workers].filter(({ isReady, isKilled }) => isReady && !isKilled);
    const victim = living[this.killed % living.length];
    // On a busy machine workers take their time to begin; if none were left at work, nothing would ever be done.
    if (!victim || living.length === 1) return;
    victim.isKilled = true;
    victim.child.kill('SIGKILL');
    this.start();
    this.killed++;
    this.#wake();
  }

  /** Resolves when one more has been killed, or there is a problem. */
  async untilNextKill(): Promise<void> {
    await new Promise<void>((resolve) => this.#onKill.push(resolve));
  }

  #wake(): void {
    for (const resolve of this.#onKill.splice(0)) resolve();
  }

  /** Lets them finish what they have begun. */
  async stop(): Promise<void> {
    for (const { child } of this.#workers) {
      // One that was killed a moment ago cannot be told; without a callback that would be an uncaught error.
      if (child.connected) child.send('stop', () => {});
    }
    await Promise.all([...this.#workers].map(({ ended }) => ended));
  }

  /** Ends them, whatever they do. */
  async end(): Promise<void> {
    for (const worker of this.#workers) {
      worker.isKilled = true;
      worker.child.kill('SIGKILL');
    }
    await Promise.all([...this.#workers].map(({ ended }) => ended));
  }
}
