import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import type { ConformanceAddress } from './types.js';

/** `request`: to the server. `answer`: from it. */
export type Direction = 'request' | 'answer';

/** What becomes of the bytes that go through: they go on, a few at a time, or wait, or are lost without a word. */
type Mode = 'open' | 'drip' | 'held' | 'silent';

interface Connection {
  readonly client: Socket;
  readonly upstream: Socket;
  /** Whether bytes of it were lost, so that it can never go on. */
  isMute: boolean;
}

/** How many bytes go on at a time when the line drips. */
const dripSize = 7;
/** How many pieces go each way, at most, while a connection is being set up. */
const setupPieces = 4;

/** A TCP proxy on loopback before the server of a place, which can do to connections what networks do. */
export class FaultProxy {
  readonly address: ConformanceAddress;
  /** How often it has cut a connection in the middle of something. */
  cuts = 0;
  readonly #server: ReturnType<typeof createServer>;
  readonly #connections = new Set<Connection>();
  #mode: Mode = 'open';
  #armed: { readonly direction: Direction; left: number } | undefined;
  #held: (() => void)[] = [];

  private constructor(server: ReturnType<typeof createServer>, target: ConformanceAddress) {
    this.#server = server;
    this.address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
    server.on('connection', (client) => this.#accept(client, target));
  }

  static async before(target: ConformanceAddress): Promise<FaultProxy> {
    const server = createServer({ noDelay: true });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new FaultProxy(server, target);
  }

  /** How many pieces are waiting, or were lost. */
  get withheld(): number {
    return this.#held.length + [...this.#connections].filter(({ isMute }) => isMute).length;
  }

  /** Cuts the connection on which, after so many others, the next piece comes in that direction, and loses the piece. */
  cutAfter(direction: Direction, pieces: number): void {
    this.#armed = { direction, left: pieces };
  }

  /** Cuts no more. */
  disarm(): void {
    this.#armed = undefined;
  }

  /**
   * Lets bytes through a few at a time, except while a connection is being set up: PgBouncer before 1.23 refuses a client
   * whose login comes in parts (https://github.com/pgbouncer/pgbouncer/issues/1056).
   */
  drip(): void {
    this.#mode = 'drip';
  }

  /** Keeps what comes until it heals. */
  hold(): void {
    this.#mode = 'held';
  }

  /** Takes connections and bytes, and neither passes anything on nor says so, as a machine that is gone does. */
  silence(): void {
    this.#mode = 'silent';
  }

  /** Everything goes through again. Connections that have lost something end. */
  heal(): void {
    this.#mode = 'open';
    for (const deliver of this.#held.splice(0)) deliver();
    for (const { client, isMute } of this.#connections) if (isMute) client.destroy();
  }

  /** Cuts every connection there is. */
  cutAll(): void {
    for (const { client } of this.#connections) client.destroy();
  }

  async close(): Promise<void> {
    this.cutAll();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket, target: ConformanceAddress): void {
    const upstream = connect({ ...target, noDelay: true });
    const connection: Connection = { client, upstream, isMute: false };
    this.#connections.add(connection);
    for (const [socket, other, direction] of [
      [client, upstream, 'request'],
      [upstream, client, 'answer'],
    ] as const) {
      // What waits goes before what comes later.
      let last: Promise<void> = Promise.resolve();
      let pieces = 0;
      socket.on('data', (piece) => {
        if (this.#isCut(direction)) client.destroy();
        else if (this.#mode === 'silent') connection.isMute = true;
        else {
          const isSetUp = pieces++ >= setupPieces;
          last = last.then(() => this.#pass(piece, other, isSetUp));
        }
      });
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#connections.delete(connection);
        other.destroy();
      });
    }
  }

  #isCut(direction: Direction): boolean {
    if (this.#armed?.direction !== direction || this.#armed.left-- > 0) return false;
    this.#armed = undefined;
    this.cuts++;
    return true;
  }

  async #pass(piece: Buffer, to: Socket, isSetUp: boolean): Promise<void> {
    if (this.#mode === 'held') await new Promise<void>((resolve) => this.#held.push(resolve));
    const size = this.#mode === 'drip' && isSetUp ? dripSize : piece.length;
    for (let from = 0; from < piece.length; from += size) {
      if (from > 0) await new Promise((turn) => setImmediate(turn));
      to.write(piece.subarray(from, from + size));
    }
  }
}
