/** An item of a call, with its place in it. */
export interface Placed<T> {
  readonly item: T;
  readonly position: number;
}

/** Items in the order of the bytes of their ids, which is that of the primary key, and in which locks are taken. */
export function inLockOrder<T>(items: readonly T[], idOf: (item: T) => string): Placed<T>[] {
  return items
    .map((item, position) => ({ item, position, key: orderKey(idOf(item)) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** The bytes as characters: those of a text outside ASCII are in another order than the text. */
function orderKey(id: string): string {
  return Buffer.from(id).toString('latin1');
}
