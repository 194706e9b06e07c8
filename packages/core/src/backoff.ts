/** The shortest and the longest delay after a call to a store has failed. */
export const backoffMs = { min: 100, max: 30_000 };

/**
 * How long to wait before a call is made again, in milliseconds.
 *
 * @param failures how often it has failed in a row before this time
 * @param random chance in [0, 1)
 */
export function backoffDelayMs(failures: number, random: number): number {
  const delayMs = Math.min(backoffMs.max, backoffMs.min * 2 ** failures);
  return Math.ceil(delayMs * (0.5 + random / 2));
}
