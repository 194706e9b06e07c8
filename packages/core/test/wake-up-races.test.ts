import { MemoryDataStore } from '@sched/memory';
import { expect, test } from 'vitest';
import { createScheduler, defineTask } from '../src/index.js';
import { interceptStore } from './support/intercepted-store.js';
import { numbers } from './support/random.js';

/** Waits for so many microtasks. */
async function microtasks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await undefined;
}

/** Lets the event loop go round. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test('A task that is scheduled at any moment of a claim is seen, without a poll', async () => {
  const random = numbers(7);
  const delay = () => microtasks(Math.floor(random() * 12));
  const store = interceptStore(
    new MemoryDataStore(),
    async (_call, proceed) => {
      await delay();
      const answer = await proceed();
      await delay();
      return answer;
    },
    { watch: false },
  );
  const warnings: string[] = [];
  const onWarning = ({ message }: Error) => warnings.push(message);
  process.on('warning', onWarning);
  let runs = 0;
  const task = defineTask('t', { handler: () => void runs++ });
  await using scheduler = createScheduler({
    ...{ store, tasks: [task], concurrency: 1, prefetch: 0 },
    pollInterval: Number.POSITIVE_INFINITY,
  });
  await scheduler.start();
  let scheduled = 0;
  for (let round = 0; round < 4000; round++) {
    await scheduler.schedule(task, { id: `${round}` });
    await delay();
    await scheduler.schedule(task, { id: `${round} more` });
    scheduled += 2;
    // Nothing but a wake-up that is lost for good takes that long.
    const giveUpAt = performance.now() + 5000;
    while (runs < scheduled && performance.now() < giveUpAt) await turn();
    expect(runs, `stalled in round ${round}`).toBe(scheduled);
  }
  // Such as that a timer was set to fire in the past.
  expect(warnings).toEqual([]);
  process.off('warning', onWarning);
});
