/** Serves the dashboard on this machine, for whoever has its address. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { userInfo } from 'node:os';
import type { ApiOptions, Right } from '@sched/http';
import { toNodeListener } from '@sched/http/node';
import { createDashboard } from '../dashboard.js';
import { doorkeeper } from './doorkeeper.js';

/** Options of `serveLocally`: those of `createDashboard`, but for what they leave to it, and some of its own. */
export interface LocalOptions extends Omit<ApiOptions, 'authorize' | 'basePath' | 'origins'> {
  /** The port of the loopback interface to listen at. Default any that is free. */
  readonly port?: number;
  /** What those who have the address may do. Default `admin`. */
  readonly may?: Right;
}

/** A dashboard that is being served. */
export interface LocalDashboard {
  /** Where it is. Whoever opens this may see and do what it offers: it has a token in it. */
  readonly url: string;
  /** Stops serving it. The scheduler goes on; a store that was given is closed. */
  close(): Promise<void>;
}

/**
 * Serves the dashboard at a port of the loopback interface, to whoever opens its address: not to other users of the
 * machine, nor to pages of other sites.
 *
 * @throws SchedError `SCHED_ARGUMENT_INVALID`; what Node says when it cannot listen, such as `EADDRINUSE`
 */
export async function serveLocally(options: LocalOptions): Promise<LocalDashboard> {
  const { port = 0, may = 'admin', ...rest } = options;
  const door = doorkeeper({ who: userInfo().username, may });
  const dashboard = createDashboard({ ...rest, authorize: door.authorize });
  const server = createServer(toNodeListener(dashboard));
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(port, '127.0.0.1', resolve);
    });
  } catch (error) {
    await dashboard.close();
    throw error;
  }
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  door.open(address);
  return {
    url: `${address}?token=${door.token}`,
    async close() {
      await dashboard.close();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
