import type { ConformanceCase, ConformanceTarget, Guarantee } from '@sched/core/conformance';
import { dataStoreConformance, guarantees } from '@sched/core/conformance';
import { describe, test } from 'vitest';

/** A change to the statements of an adapter after which it breaks one guarantee. */
export interface Patch {
  /** What is wrong with the store that comes of it. */
  readonly name: string;
  readonly breaks: Guarantee;
  /** What to replace in every statement that has it. At least one must. */
  readonly find: string;
  readonly by: string;
}

/** How many cases run at once. */
const width = 6;

/**
 * Has the kit reject a store for each patch: by a case of the guarantee that the patch breaks. No other cases are run.
 *
 * @param createTarget given what changes a statement on its way to the database
 */
export function testPatches(
  patches: readonly Patch[],
  createTarget: (patched: (statement: string) => string) => ConformanceTarget,
): void {
  describe('the kit rejects a store that', () => {
    for (const { name, breaks, find, by } of patches) {
      test(`${name} (${breaks})`, async ({ expect }) => {
        let isFound = false;
        const target = createTarget((statement) => {
          if (!statement.includes(find)) return statement;
          isFound = true;
          return statement.replaceAll(find, () => by);
        });
        const rejection = await firstRejection(target, breaks);
        expect(isFound, 'a statement has what the patch replaces').toBe(true);
        expect(rejection).toContain(`${breaks} ${guarantees[breaks]}: `);
      });
    }
  });
}

/** The message of the first case of this guarantee that fails. */
async function firstRejection(
  target: ConformanceTarget,
  breaks: Guarantee,
): Promise<string | undefined> {
  const cases = dataStoreConformance(target).filter(({ guarantee }) => guarantee === breaks);
  for (let at = 0; at < cases.length; at += width) {
    const messages = await Promise.all(cases.slice(at, at + width).map(rejection));
    const first = messages.find((message) => message !== undefined);
    if (first !== undefined) return first;
  }
  return undefined;
}

async function rejection({ run }: ConformanceCase): Promise<string | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
