/**
 * Deals with all items at once, but for those of one id, which are dealt with one after another. When some fail, it
 * fails after all are done with.
 */
export async function eachInOrder<T, R>(
  items: readonly T[],
  idOf: (item: T) => string,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const last = new Map<string, Promise<unknown>>();
  const results = items.map((item, index) => {
    const id = idOf(item);
    const before = last.get(id);
    const result = before ? before.then(() => work(item, index)) : work(item, index);
    last.set(
      id,
      result.catch(() => {}),
    );
    return result;
  });
  await Promise.allSettled(results);
  return Promise.all(results);
}
