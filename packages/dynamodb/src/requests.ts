import { setTimeout as sleep } from 'node:timers/promises';
import type { Call } from './client.js';
import { isThrottled } from './errors.js';

/** The most requests under way at once: no more than the sockets that a client of the SDK has by default. */
const maxUnderWay = 48;
/** How often a request that was throttled is made again: for some six seconds on average. */
const maxRetries = 10;
const firstDelayMs = 25;
const maxDelayMs = 3000;

/** Waits for longer each time, by chance, so that those who were throttled together do not come back together. */
async function backOff(retries: number): Promise<void> {
  await sleep(Math.random() * Math.min(maxDelayMs, firstDelayMs * 2 ** retries));
}

/** Whether to try once more, after some time. */
export async function mayRetry(retries: number): Promise<boolean> {
  if (retries >= maxRetries) return false;
  await backOff(retries);
  return true;
}

/** Makes again what was throttled. */
export function patient(call: Call): Call {
  return async (command, input) => {
    for (let retries = 0; ; retries++) {
      try {
        return await call(command, input);
      } catch (error) {
        if (!isThrottled(error) || !(await mayRetry(retries))) throw error;
      }
    }
  };
}

/** Lets no more than so many requests be under way at once. `idle` waits until none is. */
export function limited(call: Call): { readonly call: Call; idle(): Promise<void> } {
  const waiting: (() => void)[] = [];
  const underWay = new Set<Promise<unknown>>();
  let free = maxUnderWay;
  return {
    async call(command, input) {
      if (free > 0) free--;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      const request = call(command, input);
      underWay.add(request);
      try {
        return await request;
      } finally {
        underWay.delete(request);
        const next = waiting.shift();
        if (next) next();
        else free++;
      }
    },
    async idle() {
      while (underWay.size > 0 || waiting.length > 0) await Promise.allSettled(underWay);
    },
  };
}
