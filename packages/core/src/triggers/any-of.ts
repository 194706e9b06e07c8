import { type CombinationKind, combinationKind, find } from './combination.js';

/**
 * The moments that any of the triggers names: `anyOf(cron('0 9 * * 1-5'), cron('0 11 * * 6,0'))`. A moment that
 * several of them name is one occurrence. The jitter is the largest of the triggers'.
 */
export const anyOf: CombinationKind = /* @__PURE__ */ combinationKind('anyOf', (parts, search) => {
  let nearest: number | null = null;
  for (const part of parts) {
    const at = find(part, search.from, search);
    if (at === null) continue;
    if (nearest === null || (search.forward ? at < nearest : at > nearest)) nearest = at;
  }
  return nearest;
});
