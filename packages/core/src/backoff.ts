/** The shortest and the longest delay after a failed call to a store. */
export const backoffMs = { min: 100, max: 30_000 };

/**
 * How long to wait before making a failed call again, in milliseconds.
 *
 * @param failures how often the call had failed in a row before this failure
 * @param random a random number in [0, 1)
 */
export function backoffDelayMs(failures: number, random: number): number {
  const delayMs = Math.min(backoffMs.max, backoffMs.min * 2 ** failures);
  return Math.ceil(delayMs * (0.5 + random / 2));
}
