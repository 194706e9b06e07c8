import { existsSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { checkMembers, type RunContext } from '@sched/core';
import { pack, unpack } from './errors.js';
import { invalid, sharedPool, ThreadPool } from './thread-pool.js';
import type { FromThread, ThreadJob, ToThread } from './thread-run.js';

/** Options of {@link inThread}. */
export interface ThreadOptions {
  /** Where it runs. Default: a pool that all handlers share which name none. */
  readonly pool?: ThreadPool;
  /** What the module exports the handler as. Default `default`. */
  readonly exportName?: string;
  /**
   * How long after its signal was aborted a handler may go on before its thread is ended, in milliseconds. Below the
   * scheduler's `abortGrace` (5 s), or the run is given up before its thread is. Default 1000.
   */
  readonly terminateAfterMs?: number;
}

/**
 * A handler that runs in a thread: what it does blocks nothing else, and it can be ended when it does not end itself.
 *
 * The run is cloned: payload, headers and what the handler returns have to be of types that structured cloning takes.
 *
 * @param module the URL of the module that exports the handler, `new URL('./resize.js', import.meta.url)`, or its absolute
 *   path
 * @throws SchedError `SCHED_ARGUMENT_INVALID` when there is no such file, or an option is not valid
 */
export function inThread(
  module: URL | string,
  options: ThreadOptions = {},
): (run: RunContext) => Promise<unknown> {
  const url = urlOf(module);
  checkMembers('The options of inThread', options, ['pool', 'exportName', 'terminateAfterMs']);
  const { pool, exportName = 'default', terminateAfterMs = 1000 } = options;
  if (!(terminateAfterMs >= 0)) {
    throw invalid('terminateAfterMs has to be 0 or more.');
  }
  if (pool !== undefined && !(pool instanceof ThreadPool)) {
    throw invalid('pool has to be made by createThreadPool.');
  }

  return async ({ context: _context, signal, progress, log, ...run }) => {
    signal.throwIfAborted();
    const { port1, port2 } = new MessageChannel();
    const terminator = new AbortController();
    let hasBegun = false;
    let timer: NodeJS.Timeout | undefined;
    let end: Extract<FromThread, { kind: 'returned' | 'threw' }> | undefined;
    const onMessage = (message: FromThread) => {
      if (message.kind === 'began') hasBegun = true;
      else if (message.kind === 'progress') progress(message.fraction);
      else if (message.kind === 'log') log(message.line);
      else end = message;
    };
    /** Hears what the thread has told by now, whether or not the event loop has come to it. */
    const hear = () => {
      for (let next = receiveMessageOnPort(port1); next; next = receiveMessageOnPort(port1)) {
        onMessage(next.message);
      }
    };
    const onAbort = () => {
      hear();
      if (!hasBegun) {
        // It waits for a thread.
        terminator.abort();
        return;
      }
      port1.postMessage({ reason: pack(signal.reason) } satisfies ToThread);
      timer = setTimeout(() => terminator.abort(), terminateAfterMs);
    };
    port1.on('message', onMessage);
    signal.addEventListener('abort', onAbort);
    try {
      const job: ThreadJob = { module: url.href, exportName, run, port: port2 };
      await (pool ?? sharedPool())
        .threads()
        .run(job, { transferList: [port2], signal: terminator.signal });
    } catch (error) {
      // What ended the thread is the abort, and that has a reason.
      if (terminator.signal.aborted) throw signal.reason;
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      port1.off('message', onMessage);
      hear();
      port1.close();
    }
    if (end?.kind === 'threw') throw unpack(end.thrown);
    return end?.value;
  };
}

/** @throws SchedError `SCHED_ARGUMENT_INVALID` */
function urlOf(module: URL | string): URL {
  if (typeof module === 'string' && isAbsolute(module)) return urlOf(pathToFileURL(module));
  let url: URL;
  try {
    url = new URL(module);
  } catch {
    throw invalid(
      "The module of a handler has to be a URL, new URL('./resize.js', import.meta.url), or an absolute path.",
    );
  }
  if (url.protocol === 'file:' && !existsSync(fileURLToPath(url))) {
    throw invalid(`There is no file ${fileURLToPath(url)} for a handler to be loaded from.`);
  }
  return url;
}
