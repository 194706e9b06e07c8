/** The most documents that one command names. */
export const maxItems = 500;

/** The most documents that one command inserts. */
export const maxInserted = 5000;

/** Splits what a call is given so that each part fits into one command. */
export function chunks<T>(items: readonly T[], size = maxItems): T[][] {
  const parts: T[][] = [];
  for (let at = 0; at < items.length; at += size) parts.push(items.slice(at, at + size));
  return parts;
}

/**
 * Splits what a call is given, in its order, so that no part has two items about one task: those mean what they would
 * mean in two calls.
 */
export function inParts<T>(items: readonly T[], idsOf: (item: T) => readonly string[]): T[][] {
  const parts: T[][] = [];
  let part: T[] = [];
  let ids = new Set<string>();
  for (const item of items) {
    const itemIds = idsOf(item);
    const isFull = part.length === maxItems || itemIds.some((id) => ids.has(id));
    if (parts.length === 0 || isFull) {
      part = [];
      parts.push(part);
      ids = new Set();
    }
    part.push(item);
    for (const id of itemIds) ids.add(id);
  }
  return parts;
}
