import { type Subscribe, toNumber } from '@sched/core/adapter';
import type { Row } from './session.js';
import type { Statements } from './statements.js';

/** How long it is from one look to the next, and from one search for queues to the next. */
const lookMs = 35;
const searchMs = 1000;
/** Either rests at least so many times as long as it took. */
const rest = 4;

/**
 * Looks at what wakes first in each queue, again and again. That is all that a worker has to know: it has claimed what
 * came before, and goes by what came first then. What is due is told at each look, since it may be another task than at
 * the last.
 *
 * @param time the injected one, or nothing
 */
export function lookAgain(
  select: (sql: string) => Promise<readonly Row[]>,
  sql: Statements,
  time: () => number | null,
): Subscribe {
  async function search(): Promise<string[]> {
    const queues: string[] = [];
    for (;;) {
      const [row] = await select(sql.nextQueue(queues.at(-1)));
      if (!row) return queues;
      queues.push(String(row[0]));
    }
  }

  return async ({ queues: own, hear, lost }) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isOver = false;
    let known = new Map<string, number>();
    let found: readonly string[] = [];
    let searchAt = 0;
    const look = async () => {
      const start = performance.now();
      if (start >= searchAt) {
        found = await search();
        searchAt = performance.now() + Math.max(searchMs, rest * (performance.now() - start));
      }
      const queues = [...new Set([...own, ...found])];
      const [[now, ...firsts] = []] = await select(sql.firsts(queues, time()));
      if (isOver) return;
      const seen = new Map<string, number>();
      for (const [index, queue] of queues.entries()) {
        const wakeAt = toNumber(firsts[index]);
        if (wakeAt === null) continue;
        seen.set(queue, wakeAt);
        if (wakeAt <= Number(now) || wakeAt < (known.get(queue) ?? Number.POSITIVE_INFINITY)) {
          hear({ queue, wakeAt });
        }
      }
      known = seen;
      const tookMs = performance.now() - start;
      timer = setTimeout(() => look().catch(lost), Math.max(lookMs - tookMs, rest * tookMs));
    };
    await look();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  };
}
