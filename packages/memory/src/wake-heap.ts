/** What the heap needs of an item: its key, and a place to note where in the heap it stands. */
export interface HeapItem {
  wakeAt: number | null;
  /** Index in the heap, or -1. Kept on the item: a million entries in a map of positions would weigh more than this. */
  position: number;
}

/**
 * A binary min-heap on `wakeAt` in which any item can be moved or taken out in O(log n), because each knows its place.
 */
export class WakeHeap<T extends HeapItem> {
  readonly #items: T[] = [];

  peek(): T | undefined {
    return this.#items[0];
  }

  /** Puts the item where its `wakeAt` says: in, out (null), up or down. */
  place(item: T): void {
    if (item.wakeAt === null) {
      this.#take(item);
      return;
    }
    if (item.position < 0) {
      item.position = this.#items.length;
      this.#items.push(item);
    }
    this.#sink(this.#rise(item));
  }

  #take(item: T): void {
    if (item.position < 0) return;
    const last = this.#items.pop() as T;
    if (last !== item) {
      this.#set(item.position, last);
      this.#sink(this.#rise(last));
    }
    item.position = -1;
  }

  #rise(item: T): T {
    let position = item.position;
    while (position > 0) {
      const parent = this.#items[(position - 1) >> 1] as T;
      if (!before(item, parent)) break;
      this.#set(position, parent);
      position = (position - 1) >> 1;
    }
    this.#set(position, item);
    return item;
  }

  #sink(item: T): void {
    let position = item.position;
    for (;;) {
      let child = 2 * position + 1;
      if (child >= this.#items.length) break;
      const right = this.#items[child + 1];
      if (right && before(right, this.#items[child] as T)) child++;
      const smallest = this.#items[child] as T;
      if (!before(smallest, item)) break;
      this.#set(position, smallest);
      position = child;
    }
    this.#set(position, item);
  }

  #set(position: number, item: T): void {
    this.#items[position] = item;
    item.position = position;
  }
}

function before(a: HeapItem, b: HeapItem): boolean {
  return (a.wakeAt as number) < (b.wakeAt as number);
}
