import type { Socket } from 'node:net';
import { connect } from 'node:net';
import type { DataStoreCapabilities, DataStoreOptions, TaskRecord, WakeUp } from '@sched/core';
import { SchedError, type SchedErrorCode } from '@sched/core';
import type { AtEnd, Ear, StoreCalls } from '@sched/core/adapter';
import { AdapterStore, readAdapterOptions, UnderWay, Watcher } from '@sched/core/adapter';

/** A call, as it is sent. */
export interface Request {
  readonly call: string;
  readonly args: readonly unknown[];
  /** The time of an injected clock. */
  readonly at?: number | undefined;
}

/** What a server sends: the answer to a call, or a notification. */
export type Message =
  | { readonly to: number; readonly answer: unknown }
  | {
      readonly to: number;
      readonly error: { readonly code: SchedErrorCode; readonly message: string };
    }
  | { readonly wakeUp: WakeUp };

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A call that waits for its answer. */
export interface Asked {
  readonly request: Request;
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

/** Puts messages together, each of which is JSON on a line of its own. @returns what takes the pieces that come */
export function lines<T>(hear: (message: T) => void): (piece: string) => void {
  let rest = '';
  return (piece) => {
    // Only what is new is looked through: a long message comes in many pieces.
    const [first = '', ...others] = piece.split('\n');
    rest += first;
    for (const other of others) {
      hear(JSON.parse(rest));
      rest = other;
    }
  };
}

export function send(socket: Socket, message: object): void {
  socket.write(`${JSON.stringify(message)}\n`);
}

/** A connection on which calls wait for their answers. It is made when there is a call, and again after it was lost. */
export class Line {
  protected readonly asked = new Map<number, Asked>();
  readonly #address: Address;
  readonly #hear: (wakeUp: WakeUp) => void;
  #socket: Socket | undefined;
  #count = 0;

  constructor(address: Address, hear: (wakeUp: WakeUp) => void = () => {}) {
    this.#address = address;
    this.#hear = hear;
  }

  ask(request: Request): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const to = ++this.#count;
      this.asked.set(to, { request, resolve, reject });
      this.#socket ??= this.#connect();
      send(this.#socket, { to, ...request });
    });
  }

  /** Calls back when the connection that there is, if any, is no more. */
  onceLost(lost: () => void): void {
    if (this.#socket) this.watchEnd(this.#socket, lost);
    else lost();
  }

  end(): void {
    this.#socket?.destroy();
  }

  protected watchEnd(socket: Socket, lost: () => void): void {
    socket.once('close', lost);
  }

  protected listen(socket: Socket, hear: (message: Message) => void): void {
    socket.setEncoding('utf8').on('data', lines(hear));
  }

  /** @returns the call that a message answers, which waits no more */
  protected answered(to: number): Asked | undefined {
    const asked = this.asked.get(to);
    this.asked.delete(to);
    return asked;
  }

  /** No answer comes any more to these calls. */
  protected lost(calls: readonly Asked[], cause: Error | undefined): void {
    for (const { reject } of calls) reject(unavailable(cause));
  }

  #connect(): Socket {
    const socket = connect({ ...this.#address, noDelay: true });
    let cause: Error | undefined;
    socket.on('error', (error) => {
      cause = error;
    });
    socket.on('close', () => {
      this.#socket = undefined;
      const calls = [...this.asked.values()];
      this.asked.clear();
      this.lost(calls, cause);
    });
    this.listen(socket, (message) => this.#heard(message));
    return socket;
  }

  #heard(message: Message): void {
    if ('wakeUp' in message) {
      this.#hear(message.wakeUp);
      return;
    }
    const asked = this.answered(message.to);
    if ('answer' in message) asked?.resolve(message.answer);
    else asked?.reject(new SchedError(message.error.code, message.error.message));
  }
}

export function unavailable(cause: unknown): SchedError {
  return new SchedError('SCHED_STORE_UNAVAILABLE', 'The server that serves the store is gone.', {
    cause,
  });
}

export interface ServedOptions extends DataStoreOptions, Address {}

/** The store that a server at this address serves. */
export class ServedClient extends AdapterStore {
  readonly name: string = 'served';
  readonly capabilities: DataStoreCapabilities = {
    history: true,
    latestHistory: true,
    watch: true,
    transactions: false,
    processes: true,
  };
  protected readonly Line: typeof Line = Line;
  readonly #address: Address;
  readonly #settings: ReturnType<typeof readAdapterOptions<DataStoreOptions, object>>;

  constructor({ host, port, ...options }: ServedOptions) {
    const settings = readAdapterOptions<DataStoreOptions, object>('ServedClient', options, {});
    super('served', settings);
    this.#address = { host, port };
    this.#settings = settings;
  }

  protected async connect(atEnd: AtEnd): Promise<StoreCalls> {
    const line = new this.Line(this.#address);
    const underWay = new UnderWay();
    atEnd(() => line.end());
    atEnd(() => underWay.idle());
    const watcher = new Watcher((ear) => this.#subscribe(ear), unavailable);
    const { clock, historyLimit, historyMaxAgeMs } = this.#settings;
    const ask = <T>(call: string, ...args: readonly unknown[]) =>
      underWay.add(this.ask(line, { call, args, at: clock?.() })) as Promise<T>;
    await ask('open', { historyLimit, historyMaxAgeMs });
    return {
      watcher,
      now: () => ask('now'),
      insert: (records) => ask('insert', records),
      read: async (ids) =>
        (await ask<(TaskRecord | null)[]>('get', ids)).filter((task) => task !== null),
      update: (id, change, revision) => ask('update', id, change, { revision }),
      list: (request) => ask('list', request),
      count: (filter) => ask('count', filter),
      remove: (selector) => ask('remove', selector),
      setPaused: (selector, paused) => ask('setPaused', selector, paused),
      claim: (request) => ask('claim', request),
      extend: (leases, leaseMs) => ask('extend', leases, leaseMs),
      settle: (settlements) => ask('settle', settlements),
      release: (leases) => ask('release', leases),
      history: (taskId, limit) => ask('history', taskId, limit),
      latestHistory: (request) => ask('latestHistory', request),
    };
  }

  protected ask(line: Line, request: Request): Promise<unknown> {
    return line.ask(request);
  }

  async #subscribe({ hear, lost }: Ear): Promise<() => void> {
    const line = new this.Line(this.#address, hear);
    await line.ask({ call: 'watch', args: [] });
    line.onceLost(lost);
    return () => line.end();
  }
}

/** How another process reaches the store. */
export default (address: Address, options: DataStoreOptions = {}): ServedClient =>
  new ServedClient({ ...address, ...options });
