import { inspect } from 'node:util';
import { start } from './harness.js';

/** A call as a line of TypeScript, with moments counted from the start. */
export function lineOf(call: string, args: readonly unknown[], answer?: unknown): string {
  const line = `await store.${call}(${args.map(literal).join(', ')});`;
  return answer === undefined ? line : `${line} // → ${literal(answer)}`;
}

export const firstLine = `const start = ${start};`;

function literal(value: unknown): string {
  const options = {
    depth: 6,
    breakLength: Number.POSITIVE_INFINITY,
    compact: true,
    maxArrayLength: null,
  };
  return inspect(value, options).replaceAll(/\b\d{12,13}\b/g, (moment) => {
    const ms = Number(moment) - start;
    if (Math.abs(ms) > 1_000_000_000) return moment;
    if (ms === 0) return 'start';
    return ms > 0 ? `start + ${ms}` : `start - ${-ms}`;
  });
}
