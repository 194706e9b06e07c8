import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { defineConfig } from 'vitest/config';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

const packages = fileURLToPath(new URL('../../packages', import.meta.url));

/** The database servers that tests run on; a package that lists it in its manifest needs some. */
const services = '@sched-tooling/services';
const { name, devDependencies = {} } = JSON.parse(readFileSync('package.json', 'utf8'));
const needsServices = name === services || services in devDependencies;

const results = '.test-results';

/** Runs a package's `test/**\/*.test.ts`, each file in a process of its own. */
export default defineConfig({
  resolve: {
    // As `paths` in tooling/tsconfig: inside the workspace a package means its source.
    alias: [
      { find: /^@sched\/([^/]+)\/(.+)$/, replacement: `${packages}/$1/src/$2/index.ts` },
      { find: /^@sched\/([^/]+)$/, replacement: `${packages}/$1/src/index.ts` },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: needsServices ? [`${services}/global-setup`] : [],
    pool: 'forks',
    retry: 0,
    allowOnly: false,
    passWithNoTests: false,
    // For what hangs. A machine that is busy with other things is slow, and that is no failure.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    teardownTimeout: 10_000,
    // The counts that `npm test` adds up come from the JSON file, and what it repeats in the end from the other.
    reporters: ['default', 'json', noExcuses(), failures()],
    outputFile: { json: `${results}/vitest.json` },
  },
});

/**
 * Fails a run in which a test was skipped, left as a todo or allowed to retry: such a run is green
 * without having shown anything. The one excuse is a server that this machine does not have, which
 * is named, and which is none where `CI` is set.
 */
function noExcuses(): Reporter {
  let selecting = false;
  return {
    onInit(vitest) {
      // `vitest -t name` marks everything it leaves out as skipped, and that is what was asked for.
      selecting = vitest.config.testNamePattern !== undefined;
    },
    onTestRunEnd(modules) {
      if (selecting) return;
      const excuses: string[] = [];
      const wanting: string[] = [];
      for (const module of modules) {
        for (const test of module.children.allTests()) {
          const where = `${module.relativeModuleId} > ${test.fullName}`;
          const result = test.result();
          if (result.state === 'skipped' && 'missingService' in test.meta() && !process.env.CI) {
            wanting.push(`NOT TESTED  ${where}: ${result.note}`);
          } else if (result.state === 'skipped') {
            excuses.push(`skipped: ${where}`);
          }
          if (test.options.retry) excuses.push(`may retry: ${where}`);
        }
      }
      if (wanting.length > 0) console.error(`${wanting.join('\n')}\n`);
      if (excuses.length === 0) return;
      process.exitCode = 1;
      console.error(`Every test must run, once:\n${excuses.map((line) => `  ${line}\n`).join('')}`);
    },
  };
}

/**
 * Writes down what failed, for whoever sees no more than the end of a long run: tests, files that could not be read,
 * and errors outside of any test, which fail a run in which every test passed.
 */
function failures(): Reporter {
  return {
    onTestRunEnd(modules, unhandledErrors) {
      const texts = [
        ...modules.flatMap(failuresOf),
        ...unhandledErrors.map((error) => describe('Outside of any test', [error])),
      ];
      mkdirSync(results, { recursive: true });
      writeFileSync(`${results}/failures.json`, JSON.stringify(texts));
    },
  };
}

function failuresOf(module: TestModule): string[] {
  const file = module.relativeModuleId;
  const suites = [...module.children.allSuites()];
  const tests = [...module.children.allTests('failed')];
  return [
    { where: file, errors: module.errors() },
    ...suites.map((suite) => ({ where: `${file} > ${suite.fullName}`, errors: suite.errors() })),
    ...tests.map((test) => ({
      where: `${file} > ${test.fullName}`,
      errors: test.result().errors ?? [],
    })),
  ]
    .filter(({ errors }) => errors.length > 0)
    .map(({ where, errors }) => describe(where, errors));
}

/** The beginning of each error, and where in this repository: the whole is in the output above. */
function describe(where: string, errors: readonly SerializedError[]): string {
  const texts = errors.map(({ message, diff, stacks = [], stack = '' }) => {
    const frames = stacks.map(({ file, line, method }) => `    at ${method} ${file}:${line}`);
    const lines =
      frames.length > 0 ? frames : stack.split('\n').filter((line) => /^ +at /.test(line));
    const ours = lines.filter((line) => !line.includes('node_modules'));
    return [
      ...message.split('\n').slice(0, 12),
      ...stripVTControlCharacters(typeof diff === 'string' ? diff : '')
        .split('\n')
        .filter(Boolean)
        .slice(0, 12),
      ...(ours.length > 0 ? ours : lines).slice(0, 4),
    ].join('\n  ');
  });
  return `${where}\n  ${texts.join('\n  ')}`;
}
