import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Calls, ChildArguments, Message, Request } from './child.ts';

const script = fileURLToPath(new URL('./child.ts', import.meta.url));

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** A process of a contender, from the outside. */
export class Participant {
  /** How many handlers it has called, as far as it has told. */
  ran = 0;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended: Promise<void>;
  #lastCall = 0;
  /** The end of what it has printed about what went wrong. */
  #complaint = '';

  static async start(args: ChildArguments): Promise<Participant> {
    const child = fork(script, [JSON.stringify(args)], {
      // Figures come over IPC. What it prints matters only if it ends.
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      serialization: 'advanced',
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    const ready = Promise.withResolvers<void>();
    const participant = new Participant(child, () => ready.resolve());
    participant.#ended.then(() => ready.reject(participant.#failure()));
    await ready.promise;
    return participant;
  }

  private constructor(child: ChildProcess, onReady: () => void) {
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      this.#complaint = `${this.#complaint}${text}`.slice(-2000);
    });
    child.on('message', (message: Message) => {
      if ('ready' in message) return onReady();
      if ('ran' in message) {
        this.ran = message.ran;
        return;
      }
      const waiting = this.#waiting.get(message.call);
      this.#waiting.delete(message.call);
      if ('error' in message) waiting?.reject(new Error(message.error));
      else waiting?.resolve(message.result);
    });
    this.#ended = new Promise((resolve) => {
      child.once('close', () => {
        for (const { reject } of this.#waiting.values()) reject(this.#failure());
        resolve();
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  call<Name extends keyof Calls>(
    name: Name,
    ...args: Parameters<Calls[Name]>
  ): Promise<Awaited<ReturnType<Calls[Name]>>> {
    const call = ++this.#lastCall;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.set(call, { resolve, reject });
    this.#child.send({ call, name, args } satisfies Request);
    return promise as Promise<Awaited<ReturnType<Calls[Name]>>>;
  }

  #failure(): Error {
    const line = /^\w*error\b.*/im.exec(this.#complaint)?.[0];
    return new Error(line ?? 'The process has ended.', { cause: this.#complaint });
  }

  /** By SIGKILL: what it was doing stays undone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}
