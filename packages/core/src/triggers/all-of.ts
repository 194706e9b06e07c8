import { type CombinationKind, combinationKind, find, search } from './combination.js';

/**
 * The moments that all triggers name, to the millisecond: `allOf(cron('0 9 * * *'), every({ weeks: 2 }, { anchor }))`.
 * An `every` without an anchor counts from the moment of its declaration, so it will hardly ever agree with anything.
 *
 * Each trigger in turn moves the search on to its own next moment, so the search takes as many steps as the rarest
 * trigger. It gives up, as if no occurrence were left, after 100,000 moments in a row that not all triggers name.
 * Nested combinations share this number. The jitter is the largest of the triggers'.
 */
export const allOf: CombinationKind = /* @__PURE__ */ combinationKind(
  'allOf',
  (parts, direction) => {
    const step = direction.forward ? 1 : -1;
    let candidate = direction.from + step;
    return search(() => {
      for (const part of parts) {
        const at = find(part, candidate - step, direction);
        if (at === candidate) continue;
        if (at === null) return null;
        candidate = at;
        return undefined;
      }
      return candidate;
    });
  },
);
