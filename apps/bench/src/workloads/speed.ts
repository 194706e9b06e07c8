import type { Cost } from '../stage.ts';

/** How fast it went, and the CPU time that each task took on either side. */
export function speed(what: string, count: number, { ms, nodeMs, serverMs }: Cost) {
  return {
    [`${what} (tasks/s)`]: (count / ms) * 1000,
    [`${what}, CPU in Node (µs/task)`]: (nodeMs * 1000) / count,
    [`${what}, CPU of the server (µs/task)`]: (serverMs * 1000) / count,
  };
}
