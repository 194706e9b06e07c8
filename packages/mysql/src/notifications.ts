import type { Subscribe } from '@sched/core/adapter';

/** How long it is from one look to the next, and from one search for queues to the next. */
const lookMs = 35;
const searchMs = 1000;
/** Either rests at least so many times as long as it took. */
const rest = 4;

/** What somebody looks at who cannot be told anything. */
export interface View {
  /** All queues that there are. */
  search(): Promise<readonly string[]>;
  /** The time, and the first moment in each of these queues. */
  look(queues: readonly string[]): Promise<readonly [now: number, ...firsts: (number | null)[]]>;
}

/**
 * Looks at what wakes first in each queue, again and again. That is all that a worker has to know: it has claimed what
 * came before, and goes by what came first then. What is due is told at each look, since it may be another task than at
 * the last.
 */
export function lookout({ search, look }: View): Subscribe {
  return async ({ queues: own, hear, lost }) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isOver = false;
    let known = new Map<string, number>();
    let found: readonly string[] = [];
    let searchAt = 0;
    const lookAgain = async () => {
      const start = performance.now();
      if (start >= searchAt) {
        found = await search();
        searchAt = performance.now() + Math.max(searchMs, rest * (performance.now() - start));
      }
      const queues = [...new Set([...own, ...found])];
      const [now, ...firsts] = await look(queues);
      if (isOver) return;
      const seen = new Map<string, number>();
      for (const [index, queue] of queues.entries()) {
        const wakeAt = firsts[index] ?? null;
        if (wakeAt === null) continue;
        seen.set(queue, wakeAt);
        if (wakeAt <= now || wakeAt < (known.get(queue) ?? Number.POSITIVE_INFINITY)) {
          hear({ queue, wakeAt });
        }
      }
      known = seen;
      const tookMs = performance.now() - start;
      timer = setTimeout(() => lookAgain().catch(lost), Math.max(lookMs - tookMs, rest * tookMs));
    };
    await lookAgain();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  };
}
