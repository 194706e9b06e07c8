import type { Figures } from '../scenario.ts';
import type { Cost } from '../stage.ts';

/** How fast it went, and the CPU time that each task took on either side. */
export function speed(what: string, count: number, cost: Cost): Figures {
  return { [`${what} (tasks/s)`]: (count / cost.ms) * 1000, ...cpu(`${what}, CPU`, count, cost) };
}

/** CPU time a task, as far as it can be told. */
export function cpu(what: string, count: number, { nodeMs, serverMs }: Cost): Figures {
  return {
    ...(nodeMs !== undefined && { [`${what} in Node (µs/task)`]: (nodeMs * 1000) / count }),
    ...(serverMs !== undefined && {
      [`${what} of the server (µs/task)`]: (serverMs * 1000) / count,
    }),
  };
}
