import { defineTask, type TaskDefinition } from '../../src/index.js';
import type { TestClock } from '../../src/testing/index.js';

/** A task that takes a while, or until its signal is aborted. */
export function longTask(clock: TestClock, lengthMs: number): TaskDefinition<unknown> {
  return defineTask('long', { handler: ({ signal }) => clock.sleep(lengthMs, { signal }) });
}
