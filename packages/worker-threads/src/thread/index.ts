/** What each thread of a pool runs: loads the module of a handler, and calls it. */

import { pack, unpack } from '../errors.js';
import type { FromThread, ThreadHandler, ThreadJob, ThreadRun, ToThread } from '../thread-run.js';

export type { ThreadJob } from '../thread-run.js';

export default async function runInThread(job: ThreadJob): Promise<void> {
  const { port, run } = job;
  const tell = (message: FromThread) => port.postMessage(message);
  const controller = new AbortController();
  port.on('message', ({ reason }: ToThread) => controller.abort(unpack(reason)));
  tell({ kind: 'began' });
  try {
    const handler = await load(job);
    const given: ThreadRun = {
      ...run,
      signal: controller.signal,
      progress: (fraction) => {
        if (!(fraction >= 0 && fraction <= 1)) {
          throw new RangeError(`progress has to be from 0 to 1, not ${fraction}`);
        }
        tell({ kind: 'progress', fraction });
      },
      log: (line) => {
        if (typeof line !== 'string') throw new TypeError('The line to log has to be text');
        tell({ kind: 'log', line });
      },
    };
    const value = await handler(given);
    try {
      tell({ kind: 'returned', value });
    } catch {
      // It cannot be cloned, so it cannot be kept in the history either.
      tell({ kind: 'returned', value: undefined });
    }
  } catch (thrown) {
    tell({ kind: 'threw', thrown: pack(thrown) });
  } finally {
    port.close();
  }
}

async function load({ module, exportName }: ThreadJob): Promise<ThreadHandler> {
  const exported: Readonly<Record<string, unknown>> = await import(module);
  const handler = exported[exportName];
  if (typeof handler === 'function') return handler as ThreadHandler;
  throw Object.assign(new TypeError(`${module} exports no function ${exportName}.`), {
    permanent: true,
  });
}
