import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConformanceCase, ConformanceTarget } from '@sched/core/conformance';
import { recordConformance } from '@sched/core/conformance';
import { afterAll, test, vi } from 'vitest';

/** Where the reports lie, from the folder of the package. The table in the documentation is made of them. */
const folder = join('.test-results', 'conformance');

/** How many cases run at once: a server that is waited for leaves the machine idle. */
const width = 4;
/** How long a case may take on the slowest server while others run, before it counts as one that hangs. */
const limitMs = 300_000;

/**
 * Registers a test for each case of the kit, and writes a report when they have all been run.
 *
 * @param server the one that the places are on, for a store that has any
 * @param isAsked says of each case whether it is to be run. Where it is not of all, there is no report
 */
export function testConformance(
  create: ConformanceTarget['create'],
  server?: { readonly name: string },
  isAsked: (each: ConformanceCase) => boolean = () => true,
): void {
  vi.setConfig({ maxConcurrency: width, testTimeout: limitMs + 60_000 });
  const kit = recordConformance({ create, limitMs });
  for (const each of kit.cases) if (isAsked(each)) test.concurrent(each.name, each.run);
  afterAll(async () => {
    const report = await kit.report();
    // Someone who asked for some of the cases has learned nothing about the store as a whole.
    if (!report.complete) return;
    mkdirSync(folder, { recursive: true });
    const path = join(folder, `${server?.name ?? report.store}.json`);
    writeFileSync(path, `${JSON.stringify({ ...report, server: server?.name ?? null })}\n`);
  });
}
