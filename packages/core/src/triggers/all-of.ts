import { type CombinationKind, combinationKind, find, search } from './combination.js';

/**
 * The moments that all of the triggers name, to the millisecond: `allOf(cron('0 9 * * *'), every({ weeks: 2 }, { anchor }))`.
 * An `every` without an anchor counts from the moment of its declaration and will hardly ever agree with anything.
 *
 * Each trigger in turn moves the search on to its own next moment, so it takes as many steps as the rarest of them.
 * A search gives up, as if there were no occurrence left, when 100,000 moments in a row are not named by all (that
 * number is shared by combinations inside each other). The jitter is the largest of theirs.
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
