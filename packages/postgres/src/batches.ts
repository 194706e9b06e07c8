import { SchedError } from '@sched/core';

/** The most bytes of one body: several of this size in one statement stay below the limits of server and driver. */
const maxBodyBytes = 64 * 1024 * 1024;

/** What goes into one statement. */
const maxLength = 16 * 1024 * 1024;
const maxItems = 5000;

/** @throws SchedError `SCHED_PAYLOAD_TOO_LARGE` when one of these is */
export function assertSizes(bodies: readonly string[]): void {
  for (const body of bodies) {
    // No character takes more than 3 bytes a unit, so that most need not be counted.
    if (body.length * 3 > maxBodyBytes && Buffer.byteLength(body) > maxBodyBytes) {
      throw new SchedError(
        'SCHED_PAYLOAD_TOO_LARGE',
        `A body of ${Buffer.byteLength(body)} bytes is over the limit of ${maxBodyBytes}.`,
      );
    }
  }
}

/**
 * Splits what a call is given, in its order, so that each part fits into one statement and no part has two items about
 * one task: those mean what they would mean in two calls.
 */
export function batches<T>(
  items: readonly T[],
  bodiesOf: (item: T) => readonly string[],
  idsOf: (item: T) => readonly string[] = () => [],
): T[][] {
  const parts: T[][] = [];
  let part: T[] = [];
  let length = 0;
  let ids = new Set<string>();
  for (const item of items) {
    const itemLength = bodiesOf(item).reduce((sum, body) => sum + body.length, 0);
    const itemIds = idsOf(item);
    const isFull = part.length === maxItems || length + itemLength > maxLength;
    if (parts.length === 0 || isFull || itemIds.some((id) => ids.has(id))) {
      part = [];
      parts.push(part);
      length = 0;
      ids = new Set();
    }
    part.push(item);
    length += itemLength;
    for (const id of itemIds) ids.add(id);
  }
  return parts;
}
