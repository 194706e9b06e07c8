import type { Subscribe } from '@sched/core/adapter';

/** How long it is from one look to the next, and at least so many times as long as a look takes. */
const everyMs = 35;
const rest = 4;

/** The first moment in each queue that has one, and the time. */
export interface Look {
  readonly now: number;
  readonly firsts: ReadonlyMap<string, number>;
}

/**
 * Looks at what wakes first in each queue, again and again, as nobody can be told anything. That is all that a worker
 * has to know: it has claimed what came before, and goes by what came first then. What is due is told at each look, since
 * it may be another task than at the last.
 */
export function lookout(look: () => Promise<Look>): Subscribe {
  return async ({ hear, lost }) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isOver = false;
    let known: Look['firsts'] = new Map();
    const lookAgain = async () => {
      const start = performance.now();
      const { now, firsts } = await look();
      if (isOver) return;
      for (const [queue, wakeAt] of firsts) {
        if (wakeAt <= now || wakeAt < (known.get(queue) ?? Number.POSITIVE_INFINITY)) {
          hear({ queue, wakeAt });
        }
      }
      known = firsts;
      const tookMs = performance.now() - start;
      timer = setTimeout(() => lookAgain().catch(lost), Math.max(everyMs - tookMs, rest * tookMs));
    };
    await lookAgain();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  };
}
