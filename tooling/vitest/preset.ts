import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { noExcuses } from './no-excuses.ts';

const packages = fileURLToPath(new URL('../../packages', import.meta.url));

/** Runs a package's `test/**\/*.test.ts`, each file in a process of its own. */
export default defineConfig({
  resolve: {
    // As `paths` in tooling/tsconfig: inside the workspace a package means its source.
    alias: [
      { find: /^@sched\/core\/(.+)$/, replacement: `${packages}/core/src/$1/index.ts` },
      { find: /^@sched\/([^/]+)$/, replacement: `${packages}/$1/src/index.ts` },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    retry: 0,
    allowOnly: false,
    passWithNoTests: false,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    teardownTimeout: 10_000,
    // The counts that `npm test` adds up come from the JSON file.
    reporters: ['default', 'json', noExcuses()],
    outputFile: { json: '.test-results/vitest.json' },
  },
});
