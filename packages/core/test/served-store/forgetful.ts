import type { Socket } from 'node:net';
import type { ClaimRequest } from '@sched/core';
import type { Dated } from './server.js';
import { StoreServer } from './server.js';

/** Forgets what a client held when the client is gone. */
export class ForgetfulServer extends StoreServer {
  readonly #owners = new Map<Socket, Set<string>>();

  protected override async perform(call: Dated, client: Socket): Promise<unknown> {
    if (call.call === 'claim') {
      const owners = this.#owners.get(client) ?? new Set();
      this.#owners.set(client, owners.add((call.args[0] as ClaimRequest).owner));
    }
    return super.perform(call, client);
  }

  protected override async gone(client: Socket): Promise<void> {
    const owners = this.#owners.get(client);
    if (!owners) return;
    const { tasks } = await this.store.list({ limit: 1000 });
    for (const { id, lease } of tasks) {
      if (lease && owners.has(lease.owner)) await this.abandon(id, lease.token);
    }
  }

  protected async abandon(id: string, _token: number): Promise<void> {
    await this.store.remove({ ids: [id] });
  }
}

/** Takes a client that is gone for one that has given up its leases. */
export class HastyServer extends ForgetfulServer {
  protected override async abandon(id: string, token: number): Promise<void> {
    await this.store.release([{ id, token }]);
  }
}
