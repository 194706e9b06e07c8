/**
 * Items in an order that is the same for all calls, in which they insert tasks: two that insert the same ones would
 * otherwise wait for each other. Whatever names tasks that are there is locked in the order of the primary key, which is
 * this one but for texts with rare characters.
 */
export function inLockOrder<T extends { readonly id: string }>(items: readonly T[]): readonly T[] {
  return items.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}
