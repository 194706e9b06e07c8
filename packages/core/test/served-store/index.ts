import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import type { ClaimRequest, DataStoreCapabilities, DataStoreOptions } from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import type { ConformanceTarget } from '../../src/conformance/index.js';

/** A memory store that other processes can work on, through a socket. */
export class ServedStore extends MemoryDataStore {
  override readonly capabilities: DataStoreCapabilities = {
    history: true,
    watch: true,
    transactions: false,
    processes: true,
  };

  /** One call of a client. */
  async serve([method, ...args]: [string, ...unknown[]], _client: Socket): Promise<unknown> {
    const call: unknown = Reflect.get(this, method);
    if (typeof call !== 'function') throw new Error(`a store has no ${method}`);
    return Reflect.apply(call, this, args);
  }

  /** A client is gone, whether it ended or was killed. */
  async forget(_client: Socket): Promise<void> {}
}

/** A target whose places are each served on a port of their own. */
export function servedTarget(
  Store: new (options: DataStoreOptions) => ServedStore = ServedStore,
): ConformanceTarget {
  return {
    async create() {
      let store: ServedStore | undefined;
      const sockets = new Set<Socket>();
      const server = createServer((socket) => {
        sockets.add(socket);
        socket.on('close', () => {
          sockets.delete(socket);
          void store?.forget(socket);
        });
        const answer = async (line: string) => {
          const [to, ...call] = JSON.parse(line);
          const outcome = await store?.serve(call, socket).then(
            (value) => ({ to, answer: value ?? null }),
            (error) => ({ to, error: String(error) }),
          );
          socket.write(`${JSON.stringify(outcome)}\n`);
        };
        // A client that is killed resets its connection.
        createInterface({ input: socket })
          .on('line', answer)
          .on('error', () => {});
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      return {
        connect(options) {
          store ??= new Store(options);
          return store;
        },
        process: { module: new URL('./client.mjs', import.meta.url).href, argument: port },
        async dispose() {
          for (const socket of sockets) socket.destroy();
          await new Promise((resolve) => server.close(resolve));
        },
      };
    },
  };
}

/** What a client has claimed. */
function claimedBy(args: unknown[], answer: unknown): { owner: string } | undefined {
  return args[0] === 'claim' && answer ? { owner: (args[1] as ClaimRequest).owner } : undefined;
}

/** Forgets what a client held when the client is gone. */
export class ForgetfulStore extends ServedStore {
  readonly #owners = new Map<Socket, Set<string>>();

  override async serve(call: [string, ...unknown[]], client: Socket): Promise<unknown> {
    const answer = await super.serve(call, client);
    const claim = claimedBy(call, answer);
    if (claim) {
      const owners = this.#owners.get(client) ?? new Set();
      this.#owners.set(client, owners.add(claim.owner));
    }
    return answer;
  }

  override async forget(client: Socket): Promise<void> {
    const owners = this.#owners.get(client) ?? new Set();
    const { tasks } = await this.list({ limit: 1000 }).catch(() => ({ tasks: [] }));
    for (const { id, lease } of tasks) {
      if (lease && owners.has(lease.owner)) await this.abandon(id, lease.token);
    }
  }

  protected async abandon(id: string, _token: number): Promise<void> {
    await this.remove({ ids: [id] });
  }
}

/** Takes a client that is gone for one that has given up its leases. */
export class HastyStore extends ForgetfulStore {
  protected override async abandon(id: string, token: number): Promise<void> {
    await this.release([{ id, token }]);
  }
}
