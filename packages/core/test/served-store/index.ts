import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryDataStore } from '@sched/memory';
import type { ConformanceTarget } from '../../src/conformance/index.js';
import { ServedClient } from './client.js';
import { StoreServer } from './server.js';

export interface Served {
  /** Serves each place. */
  readonly createServer?: (file: string) => StoreServer;
  readonly Client?: typeof ServedClient;
  /** What other processes reach it by. */
  readonly module?: string;
  /** Whether handles pay no attention to the address that they are given. */
  readonly goesStraight?: boolean;
  readonly limitMs?: number;
}

/** A target whose places each have a server, on a port and with a file of their own. */
export function servedTarget({
  createServer = (file) => new StoreServer(MemoryDataStore, file),
  Client = ServedClient,
  module = './client.ts',
  goesStraight = false,
  ...limit
}: Served = {}): ConformanceTarget {
  return {
    ...limit,
    async create() {
      const file = join(tmpdir(), `sched-served-${crypto.randomUUID()}`);
      let server = createServer(file);
      const address = { host: '127.0.0.1', port: await server.start() };
      return {
        connect: (options, other = address) =>
          new Client({ ...(goesStraight ? address : other), ...options }),
        address,
        async restart() {
          await server.stop();
          server = createServer(file);
          await server.start(address.port);
        },
        process: { module: new URL(module, import.meta.url).href, argument: { ...address } },
        async dispose() {
          await server.stop();
          await rm(file, { force: true });
        },
      };
    },
  };
}
