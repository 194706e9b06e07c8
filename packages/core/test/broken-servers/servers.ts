import type { Socket } from 'node:net';
import type { ClaimResult, NewTaskRecord, Settlement } from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import { RenumberingStore } from '../broken-stores/renumbering-store.js';
import type { Dated } from '../served-store/server.js';
import { StoreServer } from '../served-store/server.js';
import type { BrokenServer } from './broken-server.js';
import { brokenServer } from './broken-server.js';

const restarts =
  'a server that restarts has all that it acknowledged, and handles go on without reopening';

type ServerClass = new (Store: typeof MemoryDataStore, file: string) => StoreServer;

function restarting(
  name: string,
  breaks: BrokenServer['breaks'],
  because: string,
  Server: ServerClass,
): BrokenServer {
  const createServer = (file: string) => new Server(MemoryDataStore, file);
  return brokenServer(name, restarts, breaks, because, { createServer });
}

const settlementsOf = ({ args: [settlements] }: Dated) => settlements as readonly Settlement[];

/** A store that counts for each id, and can forget how far it has counted for those that are gone. */
class CountingStore extends RenumberingStore {
  async forgetGone(of: 'tokens' | 'revisions'): Promise<void> {
    const numbers = of === 'tokens' ? this.lastTokens : this.lastRevisions;
    const ids = [...numbers.keys()];
    const tasks = await this.get(ids);
    for (const [index, id] of ids.entries()) if (!tasks[index]) numbers.delete(id);
  }
}

/** A server that forgets, when it restarts, how far it has counted for the ids that are gone. */
function recounting(of: 'tokens' | 'revisions') {
  class Server extends StoreServer<CountingStore> {
    protected override async recover() {
      await super.recover();
      await this.opened?.forgetGone(of);
    }
  }
  return { createServer: (file: string) => new Server(CountingStore, file) };
}

/** Servers that lose something when they end, or when a client of theirs does. */
export const brokenServers: readonly BrokenServer[] = [
  restarting(
    'notes each call when the next one comes',
    'G1',
    'every record is as it was',
    class extends StoreServer {
      #late: Dated | undefined;

      protected override note(call: Dated) {
        if (this.#late) super.note(this.#late);
        this.#late = call;
      }
    },
  ),
  restarting(
    'keeps the history in its memory only',
    'G1',
    'the history is as it was',
    class extends StoreServer {
      protected override note(call: Dated) {
        if (call.call !== 'settle') return super.note(call);
        const settlements = settlementsOf(call).map((each) => ({ ...each, history: [] }));
        super.note({ ...call, args: [settlements] });
      }
    },
  ),
  restarting(
    'gives back, when it starts, what was claimed before',
    'G1',
    'every record is as it was',
    class extends StoreServer {
      protected override async recover() {
        await super.recover();
        const { tasks = [] } = (await this.opened?.list({ limit: 1000 })) ?? {};
        const leases = tasks.flatMap(({ id, lease }) => (lease ? { id, token: lease.token } : []));
        await this.opened?.release(leases);
      }
    },
  ),
  restarting(
    'forgets by which tokens tasks were settled before it started',
    'G1',
    'a repeated settlement is recognised',
    class extends StoreServer {
      readonly #forgotten = new Set<number>();
      #isStarted = false;

      protected override async recover() {
        await super.recover();
        this.#isStarted = true;
      }

      protected override async apply(call: Dated) {
        const answer = await super.apply(call);
        if (call.call !== 'settle') return answer;
        const answers = answer as readonly string[];
        return settlementsOf(call).map(({ token }, index) => {
          if (!this.#isStarted && answers[index] === 'settled') this.#forgotten.add(token);
          return this.#isStarted && this.#forgotten.has(token) ? 'lost' : answers[index];
        });
      }
    },
  ),
  brokenServer(
    'counts the tokens of a removed task from the beginning when it has restarted',
    restarts,
    'G2',
    'tokens go on growing: 1, 1',
    recounting('tokens'),
  ),
  brokenServer(
    'counts the revisions of a removed task from the beginning when it has restarted',
    restarts,
    'G6',
    'revisions do not repeat: 1',
    recounting('revisions'),
  ),
  brokenServer(
    'takes whoever has claimed a task for its owner as long as the connection is up',
    'a process that is suspended past its leases changes nothing when it goes on',
    'G2',
    'a stale owner changes nothing',
    { createServer: (file) => new TrustingServer(MemoryDataStore, file) },
  ),
  brokenServer(
    'inserts what a settlement spawns with the next settlement of the same client',
    'processes that are killed in the middle of their work lose no task and no settlement',
    'G1',
    'each settlement is applied as a whole: what it spawns is there',
    { createServer: (file) => new DeferringServer(MemoryDataStore, file) },
  ),
];

class TrustingServer extends StoreServer {
  readonly #claimed = new Map<Socket, Set<string>>();

  protected override async perform(call: Dated, client: Socket) {
    const claimed = this.#claimed.get(client) ?? new Set<string>();
    this.#claimed.set(client, claimed);
    if (call.call === 'settle') {
      const settlements = settlementsOf(call);
      const tasks = await this.store.get(settlements.map(({ id }) => id));
      const trusted = settlements.map((settlement, index) => {
        const { lease, revision } = tasks[index] ?? {};
        return lease && claimed.has(`${settlement.token} ${settlement.id}`)
          ? { ...settlement, token: lease.token, revision: revision ?? settlement.revision }
          : settlement;
      });
      return super.perform({ ...call, args: [trusted] }, client);
    }
    const answer = await super.perform(call, client);
    if (call.call === 'claim') {
      for (const { id, lease } of (answer as ClaimResult).tasks)
        claimed.add(`${lease.token} ${id}`);
    }
    return answer;
  }
}

class DeferringServer extends StoreServer {
  readonly #deferred = new Map<Socket, readonly NewTaskRecord[]>();

  protected override async perform(call: Dated, client: Socket) {
    if (call.call !== 'settle') return super.perform(call, client);
    const settlements = settlementsOf(call);
    const bare = settlements.map((settlement) => ({ ...settlement, spawn: [] }));
    const answer = await super.perform({ ...call, args: [bare] }, client);
    const answers = answer as readonly string[];
    await this.store.insert(this.#deferred.get(client) ?? []);
    const spawned = settlements.filter((_, index) => answers[index] === 'settled');
    this.#deferred.set(
      client,
      spawned.flatMap(({ spawn }) => spawn),
    );
    return answer;
  }
}
