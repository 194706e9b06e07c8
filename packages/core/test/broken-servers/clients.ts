import type { Socket } from 'node:net';
import type { NewTaskRecord, Settlement } from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import type { Asked, Message, Request } from '../served-store/client.js';
import { Line, lines, ServedClient, unavailable } from '../served-store/client.js';
import type { Dated } from '../served-store/server.js';
import { StoreServer } from '../served-store/server.js';
import type { BrokenServer } from './broken-server.js';
import { brokenServer, limitMs } from './broken-server.js';

const drips =
  'calls on a line on which a few bytes come at a time are answered as if they came at once';
const delays = 'calls on a line that delays everything are answered as if it did not';
const wholeOrNot = 'is applied as a whole or not at all, and can be made again';

function clientOn(Own: typeof Line): typeof ServedClient {
  return class extends ServedClient {
    protected override readonly Line = Own;
  };
}

/** A client that makes some calls again, without a word, when their answers are lost. */
function insisting(isMadeAgain: (call: string) => boolean): typeof ServedClient {
  return class extends ServedClient {
    protected override ask(line: Line, request: Request) {
      return super.ask(line, request).catch((error) => {
        if (!isMadeAgain(request.call)) throw error;
        return super.ask(line, request);
      });
    }
  };
}

/** A client that answers some calls itself when their answers are lost. */
function guessing(guess: (request: Request) => unknown): typeof ServedClient {
  return clientOn(
    class extends Line {
      protected override lost(calls: readonly Asked[], cause: Error | undefined) {
        for (const { request, resolve } of calls) {
          const answer = guess(request);
          if (answer !== undefined) resolve(answer);
        }
        super.lost(calls, cause);
      }
    },
  );
}

/** Clients that do not take what lines do to them. */
export const brokenClients: readonly BrokenServer[] = [
  brokenServer(
    'takes each piece that comes for a message',
    drips,
    'G1',
    'The server that serves the store is gone',
    {
      Client: clientOn(
        class extends Line {
          protected override listen(socket: Socket, hear: (message: Message) => void) {
            socket.setEncoding('utf8').on('data', (piece: string) => {
              try {
                for (const line of piece.trim().split('\n')) hear(JSON.parse(line));
              } catch {
                socket.destroy();
              }
            });
          }
        },
      ),
    },
  ),
  brokenServer(
    'makes text of each piece by itself',
    drips,
    'G1',
    'a body is returned byte for byte, however few bytes come at a time',
    {
      Client: clientOn(
        class extends Line {
          protected override listen(socket: Socket, hear: (message: Message) => void) {
            const take = lines(hear);
            socket.on('data', (piece) => take(piece.toString()));
          }
        },
      ),
    },
  ),
  brokenServer(
    'gives each answer to the call that has waited longest',
    delays,
    'G1',
    'each of several calls that wait together is given its own answer',
    {
      createServer: (file) => new UnorderedServer(MemoryDataStore, file),
      Client: clientOn(
        class extends Line {
          protected override answered(to: number) {
            const [longest = to] = this.asked.keys();
            return super.answered(longest);
          }
        },
      ),
    },
  ),
  brokenServer(
    'says that tasks were inserted as soon as it has sent them',
    `insert that is cut off on its way to the server ${wholeOrNot}`,
    'G1',
    'insert that succeeds is applied',
    {
      Client: guessing(({ call, args: [records] }) =>
        call === 'insert' ? (records as NewTaskRecord[]).map(() => 'inserted') : undefined,
      ),
    },
  ),
  brokenServer(
    'lists no tasks when it is cut off',
    `list that is cut off before its answer is here ${wholeOrNot}`,
    'G1',
    'list that succeeds answers as ever',
    {
      Client: guessing(({ call }) => (call === 'list' ? { tasks: [], next: null } : undefined)),
    },
  ),
  brokenServer(
    'claims again when the answer to a claim is lost, and leaves the first tasks leased',
    `claim that is cut off before its answer is here ${wholeOrNot}`,
    'G2',
    'claim that succeeds answers as ever',
    { Client: insisting((call) => call === 'claim') },
  ),
  brokenServer(
    'gives back again what it has given back when the answer is lost',
    `release that is cut off before its answer is here ${wholeOrNot}`,
    'G3',
    'release that succeeds answers as ever',
    { Client: insisting((call) => call === 'release') },
  ),
  brokenServer(
    'counts what is left to remove when the answer to a removal is lost',
    `remove that is cut off before its answer is here ${wholeOrNot}`,
    'G6',
    'remove that succeeds answers as ever',
    { Client: insisting((call) => call === 'remove') },
  ),
  brokenServer(
    'inserts what a settlement spawns by a call of its own',
    `settle that is cut off on its way to the server ${wholeOrNot}`,
    'G2',
    'settle is applied as a whole or not at all',
    {
      Client: class extends ServedClient {
        protected override async ask(line: Line, request: Request) {
          if (request.call !== 'settle') return super.ask(line, request);
          const [settlements] = request.args as [readonly Settlement[]];
          const bare = settlements.map((settlement) => ({ ...settlement, spawn: [] }));
          const answers = await super.ask(line, { ...request, args: [bare] });
          const spawned = settlements
            .filter((_, index) => (answers as string[])[index] === 'settled')
            .flatMap(({ spawn }) => spawn);
          await super.ask(line, { ...request, call: 'insert', args: [spawned] });
          return answers;
        }
      },
    },
  ),
  brokenServer(
    'fails with the error of its socket',
    `count that is cut off before its answer is here ${wholeOrNot}`,
    'G1',
    'a call that fails on its way says that the store is unavailable: Error: socket hang up',
    {
      Client: clientOn(
        class extends Line {
          protected override lost(calls: readonly Asked[]) {
            for (const { reject } of calls) reject(new Error('socket hang up'));
          }
        },
      ),
    },
  ),
  brokenServer(
    'waits for ever for an answer when its connection ends without an error',
    'a call on a line that goes silent ends once the line is back, and is applied as a whole or not at all',
    'G1',
    'waited 4 seconds for insert to answer',
    {
      limitMs: 4000,
      Client: clientOn(
        class extends Line {
          protected override lost(calls: readonly Asked[], cause: Error | undefined) {
            if (cause) super.lost(calls, cause);
          }
        },
      ),
    },
  ),
  brokenServer(
    'does not connect again',
    `get that is cut off before its answer is here ${wholeOrNot}`,
    'G1',
    'get that was cut off succeeds when nothing is in its way, without reopening',
    {
      limitMs,
      Client: clientOn(
        class extends Line {
          #isOver = false;

          override async ask(request: Request) {
            if (this.#isOver) throw unavailable(undefined);
            return super.ask(request);
          }

          protected override lost(calls: readonly Asked[], cause: Error | undefined) {
            this.#isOver = true;
            super.lost(calls, cause);
          }
        },
      ),
    },
  ),
  brokenServer(
    'goes straight to its server, whatever address it is given',
    `get that is cut off on its way to the server ${wholeOrNot}`,
    'G1',
    'get goes to the server by the address that is given',
    { goesStraight: true },
  ),
  brokenServer(
    'says for ever that it could not be opened',
    'a store that could not be opened for want of its server is opened later',
    'G1',
    'open that failed succeeds when nothing is in its way',
    {
      limitMs,
      Client: class extends ServedClient {
        #opening: Promise<void> | undefined;

        override open() {
          this.#opening ??= super.open();
          return this.#opening;
        }

        override close() {
          this.#opening = undefined;
          return super.close();
        }
      },
    },
  ),
  brokenServer(
    'takes a connection that ends without an error for one that it has ended itself, and hears no more',
    'whoever watches hears again when all connections were cut',
    'G5',
    'a watcher whose connection was cut hears again',
    {
      limitMs,
      Client: clientOn(
        class extends Line {
          protected override watchEnd(socket: Socket, lost: () => void) {
            socket.once('error', lost);
          }
        },
      ),
    },
  ),
  brokenServer(
    'goes by the clock of its process',
    'a process whose clock is six hours ahead shares tasks with others, where the server has a clock',
    'G2',
    'a live lease is live for every process',
    { module: './client-by-own-clock.mjs' },
  ),
  brokenServer(
    'gives leases that end by the clock of its process',
    'a process whose clock is six hours behind shares tasks with others, where the server has a clock',
    'G2',
    'the time of a claim is the clock of the store',
    { module: './client-by-own-clock.mjs' },
  ),
];

/** Answers what is read from one place before what takes longer, which is as good an order as any. */
export class UnorderedServer extends StoreServer {
  protected override async perform(call: Dated, client: Socket) {
    const answer = await super.perform(call, client);
    if (call.call !== 'get') await new Promise((resolve) => setImmediate(resolve));
    return answer;
  }
}
