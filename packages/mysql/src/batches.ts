import { SchedError } from '@sched/core';

/** What goes into one call of a procedure. */
export interface BatchLimits {
  readonly maxItems: number;
  /** Of all items together. An item that is larger by itself cannot be sent at all. */
  readonly maxBytes: number;
}

/** An item of a call, with its place in it. */
export interface Placed<T> {
  readonly item: T;
  readonly position: number;
}

/** What an item is about, and how much of it there is. */
interface Extent {
  /** The first one decides where in the order of locks the item is. */
  readonly ids: readonly string[];
  readonly bytes: number;
}

/**
 * Splits what a call is given, in its order, so that each part fits into one call of a procedure and no part has two
 * items about one task: those mean what they would mean in two calls. Each part is in the order of its ids, byte by byte,
 * which is the order in which locks are taken.
 *
 * @throws SchedError `SCHED_PAYLOAD_TOO_LARGE` when an item is
 */
export function batches<T>(
  items: readonly T[],
  extentOf: (item: T) => Extent,
  { maxItems, maxBytes }: BatchLimits,
): Placed<T>[][] {
  const parts: (Placed<T> & { readonly key: string })[][] = [];
  let part = parts[0] ?? [];
  let total = 0;
  let seen = new Set<string>();
  for (const [position, item] of items.entries()) {
    const { ids, bytes } = extentOf(item);
    if (bytes > maxBytes) {
      throw new SchedError(
        'SCHED_PAYLOAD_TOO_LARGE',
        `What is to be written of one task takes ${bytes} bytes, and max_allowed_packet of the server leaves room for ${maxBytes}.`,
      );
    }
    const isFull = part.length === maxItems || total + bytes > maxBytes;
    if (parts.length === 0 || isFull || ids.some((id) => seen.has(id))) {
      part = [];
      parts.push(part);
      total = 0;
      seen = new Set();
    }
    part.push({ item, position, key: orderKey(ids[0] ?? '') });
    total += bytes;
    for (const id of ids) seen.add(id);
  }
  return parts.map((each) => each.sort((a, b) => (a.key < b.key ? -1 : 1)));
}

/** Texts in the order of their bytes, which is that of the primary key. */
export function inOrder(ids: Iterable<string>): string[] {
  return [...ids]
    .map((id) => [orderKey(id), id] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, id]) => id);
}

/** The bytes as characters: those of a text outside ASCII are in another order than the text. */
function orderKey(id: string): string {
  return Buffer.from(id).toString('latin1');
}

/** At most how many bytes of JSON these take. Long ones are measured, and short ones may be counted too high. */
export function bytesOf(texts: readonly (string | null | undefined)[]): number {
  return texts.reduce(
    (sum, text) =>
      sum + 40 + ((text?.length ?? 0) < 200 ? (text?.length ?? 0) * 6 : measured(text ?? '')),
    0,
  );
}

function measured(text: string): number {
  return Buffer.byteLength(JSON.stringify(text));
}
