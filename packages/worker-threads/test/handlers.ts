/** Handlers for threads, in TypeScript, as Node runs it by itself. */

import { appendFileSync } from 'node:fs';
import { isMainThread, threadId } from 'node:worker_threads';
import type { ThreadHandler, ThreadRun } from '@sched/worker-threads';

/** Tells everything that it was given. */
const echo: ThreadHandler = ({ signal, progress, log, ...run }) => {
  progress(0.5);
  for (let line = 1; line <= 3; line++) log(`line ${line}`);
  progress(1);
  return { ...run, isMainThread, isAborted: signal.aborted };
};
export default echo;

export const where: ThreadHandler = () => threadId;

/** Blocks its thread for good, once it has said so. */
export const stuck: ThreadHandler<string> = ({ log, payload }) => {
  log('stuck');
  if (payload) appendFileSync(payload, 'began\n');
  for (;;);
};

export async function patient({ signal, log }: ThreadRun): Promise<void> {
  log('waiting');
  const { promise, reject } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => {
    log(`aborted: ${signal.reason.code}`);
    reject(signal.reason);
  });
  const timer = setInterval(() => {}, 1000);
  await promise.finally(() => clearInterval(timer));
}

class TooLarge extends RangeError {
  override readonly name = 'TooLarge';
  readonly code = 'E_TOO_LARGE';
}

export const failing: ThreadHandler<string> = ({ payload }) => {
  if (payload === 'error') throw new TooLarge('7 is too large', { cause: new Error('because') });
  if (payload === 'permanent') throw Object.assign(new Error('never'), { permanent: true });
  if (payload === 'value') return Promise.reject({ reason: 'a value' });
  if (payload === 'function') return Promise.reject(() => {});
  if (payload === 'exit') process.exit(3);
  if (payload === 'later') {
    return new Promise(() => {
      setImmediate(() => {
        throw new TooLarge('out of nowhere');
      });
    });
  }
  return () => {};
};

export const greedy: ThreadHandler = () => {
  const kept: number[][] = [];
  for (;;) kept.push(new Array(100_000).fill(kept.length));
};

export const notAFunction = 7;
