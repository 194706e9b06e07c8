import { get } from './api.js';
import type { Failure, Failures } from './types.js';

/** How many tasks of a kind to name. */
const examples = 10;

/**
 * Reads the failures of one stretch of the tasks after another, as long as there are any, and adds them up.
 *
 * @param stretches how many to look at, at most: a server looks at one in each answer
 */
export async function readFailures(stretches: number, signal: AbortSignal): Promise<Failures> {
  const kinds = new Map<string, Failure>();
  let next: string | null = '';
  for (let read = 0; next !== null && read < stretches; read++) {
    const answer: Failures = await get('failures', { cursor: next }, signal);
    for (const failure of answer.failures) {
      const before = kinds.get(failure.key);
      kinds.set(failure.key, before ? together(before, failure) : failure);
    }
    next = answer.next;
  }
  const failures = [...kinds.values()].sort((a, b) => b.count - a.count);
  return { failures, isComplete: next === null, next };
}

function together(one: Failure, other: Failure): Failure {
  // Of the same form and length all of them, so that texts are in the order of what they mean.
  const [newest = null] = [one.newest, other.newest]
    .filter((at) => at !== null)
    .sort()
    .reverse();
  const ids = [...one.ids, ...other.ids].slice(0, examples);
  return { ...one, count: one.count + other.count, newest, ids };
}
