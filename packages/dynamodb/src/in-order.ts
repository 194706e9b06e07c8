/**
 * Deals with all items at once, but for those that are about the same tasks, which are dealt with one after another.
 * When some fail, it fails after all are done with.
 *
 * @param idsOf the tasks that an item is about
 */
export async function eachInOrder<T, R>(
  items: readonly T[],
  idsOf: (item: T) => readonly string[],
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const last = new Map<string, Promise<unknown>>();
  const results = items.map((item, index) => {
    const ids = idsOf(item);
    const before = ids.flatMap((id) => last.get(id) ?? []);
    const result =
      before.length > 0
        ? Promise.allSettled(before).then(() => work(item, index))
        : work(item, index);
    for (const id of ids) last.set(id, result);
    return result;
  });
  await Promise.allSettled(results);
  return Promise.all(results);
}
