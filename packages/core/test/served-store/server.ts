import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:net';
import type { DataStoreOptions } from '@sched/core';
import { isSchedError } from '@sched/core';
import type { MemoryDataStore } from '@sched/memory';
import type { Request } from './client.js';
import { lines, send } from './client.js';

/** A call with its time: that of the caller's injected clock, or of the server. */
export interface Dated extends Request {
  readonly at: number;
}

const writing = new Set([
  ...['open', 'insert', 'update', 'remove', 'setPaused'],
  ...['claim', 'extend', 'settle', 'release'],
]);

/**
 * Serves a memory store on a port. It notes every call that may change something in a file before it makes it. A server
 * that starts with the file of another makes all these calls again, and so has what the other had.
 */
export class StoreServer<Store extends MemoryDataStore = MemoryDataStore> {
  readonly #Store: new (
    options: DataStoreOptions,
  ) => Store;
  readonly #file: string;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  /** Undefined until the first client, or the file, says what its options are. */
  protected opened: Store | undefined;
  #now = 0;

  constructor(Store: new (options: DataStoreOptions) => Store, file: string) {
    this.#Store = Store;
    this.#file = file;
  }

  /** @returns its port */
  async start(port = 0): Promise<number> {
    await this.recover();
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends as if it were killed: at once, and with everything that is not in its file. */
  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  protected get store(): Store {
    if (!this.opened) throw new Error('whoever connects opens the store first');
    return this.opened;
  }

  /** One call of a client. */
  protected async perform(call: Dated, client: Socket): Promise<unknown> {
    if (call.call === 'watch') {
      const stop = await this.store.watch((wakeUp) => send(client, { wakeUp }));
      client.once('close', stop);
      return null;
    }
    if (writing.has(call.call)) this.note(call);
    return this.apply(call);
  }

  /** A client is gone, whether it ended or was killed. */
  protected async gone(_client: Socket): Promise<void> {}

  protected note(call: Dated): void {
    appendFileSync(this.#file, `${JSON.stringify(call)}\n`);
  }

  protected async recover(): Promise<void> {
    if (!existsSync(this.#file)) return;
    const calls: Dated[] = [];
    lines<Dated>((call) => calls.push(call))(readFileSync(this.#file, 'utf8'));
    // One that was refused is refused again.
    for (const call of calls) await this.apply(call).catch(() => {});
  }

  protected async apply({ call, args, at }: Dated): Promise<unknown> {
    if (call === 'open') return this.#open(args[0] as DataStoreOptions);
    const method: unknown = Reflect.get(this.store, call);
    if (typeof method !== 'function') throw new Error(`a store has no ${call}`);
    // A memory store reads its clock before it first waits.
    this.#now = at;
    return Reflect.apply(method, this.store, args);
  }

  /** All handles on a store have the same options. */
  async #open(options: DataStoreOptions): Promise<void> {
    if (this.opened) return;
    this.opened = new this.#Store({ ...options, clock: () => this.#now });
    await this.opened.open();
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    // A client that is killed resets its connection.
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#sockets.delete(socket);
      void this.gone(socket);
    });
    const answer = async ({ to, ...request }: Request & { readonly to: number }) => {
      const call = { ...request, at: request.at ?? Date.now() };
      try {
        send(socket, { to, answer: (await this.perform(call, socket)) ?? null });
      } catch (error) {
        const code = isSchedError(error) ? error.code : 'SCHED_STORE_UNAVAILABLE';
        send(socket, { to, error: { code, message: String(error) } });
      }
    };
    socket.setEncoding('utf8').on('data', lines(answer));
  }
}
