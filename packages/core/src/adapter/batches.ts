import type { StoreLimits } from './limits.js';

/**
 * Splits what a call is given, in its order, so that each part is within the limits and no part has two items about one
 * task: those mean what they would mean in two calls.
 *
 * @param idsOf the tasks that an item is about
 * @param sizeOf how large an item is
 * @throws what `limits.refuse` gives for an item that is too large by itself
 */
export function batches<T>(
  items: readonly T[],
  limits: StoreLimits,
  idsOf: (item: T) => readonly string[],
  sizeOf: (item: T) => number,
): T[][] {
  const { maxItems = Number.POSITIVE_INFINITY, maxSize = Number.POSITIVE_INFINITY } = limits;
  const parts: T[][] = [];
  let part: T[] = [];
  let total = 0;
  let seen = new Set<string>();
  for (const item of items) {
    const ids = idsOf(item);
    const size = maxSize === Number.POSITIVE_INFINITY ? 0 : sizeOf(item);
    if (size > maxSize && limits.refuse) throw limits.refuse(size);
    const isFull = part.length === maxItems || total + size > maxSize;
    if (parts.length === 0 || isFull || ids.some((id) => seen.has(id))) {
      part = [];
      parts.push(part);
      total = 0;
      seen = new Set();
    }
    part.push(item);
    total += size;
    for (const id of ids) seen.add(id);
  }
  return parts;
}

/** Splits a list into parts of at most so many; none where there is nothing. */
export function chunks<T>(items: readonly T[], size = Number.POSITIVE_INFINITY): (readonly T[])[] {
  if (items.length <= size) return items.length === 0 ? [] : [items];
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, at) => items.slice(at * size, (at + 1) * size));
}

/** The items without those whose id comes before: of several the first is meant. */
export function firstOfEach<T extends { readonly id: string }>(items: readonly T[]): T[] {
  const ids = new Set<string>();
  return items.filter(({ id }) => ids.size < ids.add(id).size);
}

/** In which of so many shards a task is. A store must not change this: it would not find its tasks again. */
export function shardOf(id: string, shards: number): number {
  // FNV-1a over the UTF-16 units.
  let hash = 0x811c9dc5;
  for (let at = 0; at < id.length; at++) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
  return (hash >>> 0) % shards;
}
