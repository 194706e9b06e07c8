import { cpSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { dataStoreConformance } from '@sched/core/conformance';
import { expect, test } from 'vitest';
import { command } from '../src/command.ts';
import { pack } from '../src/pack.ts';
import { scratchFolder } from '../src/scratch.ts';
import { publicPackage, root } from '../src/workspace.ts';

interface Runner {
  /** What a test file needs to have `test`. */
  readonly preamble: string;
  readonly command: string;
  readonly args: string[];
  /** Where it says how many tests passed. */
  readonly passed: RegExp;
}

const file = 'kit.test.mjs';
const runners: Record<string, Runner> = {
  vitest: {
    preamble: "import { test } from 'vitest';",
    command: 'vitest',
    args: ['run', '--root', '.', file],
    passed: /Tests +(?:\d+ failed \| )?(\d+) passed/,
  },
  'node:test': {
    preamble: "import { test } from 'node:test';",
    command: 'node',
    args: ['--test', '--test-reporter=spec', file],
    passed: /pass (\d+)$/m,
  },
  mocha: {
    preamble: 'const test = it;',
    command: 'mocha',
    args: [file],
    passed: /(\d+) passing/,
  },
  bun: {
    preamble: "import { test } from 'bun:test';",
    command: 'bun',
    args: ['test', `./${file}`],
    passed: /(\d+) pass$/m,
  },
  deno: {
    preamble: 'const test = Deno.test;',
    command: 'deno',
    args: ['test', '--allow-all', '--no-check', '--no-lock', '--node-modules-dir=manual', file],
    passed: /(\d+) passed/,
  },
};

/** Runs the kit over the packed memory store, with a method replaced if one is given, under a runner. */
function run({ preamble, command: name, args }: Runner, method = '') {
  const folder = scratchFolder({
    'package.json': JSON.stringify({ type: 'module' }),
    [file]: `${preamble}
      import { dataStoreConformance } from '@sched/core/conformance';
      import { MemoryDataStore } from '@sched/memory';
      class Store extends MemoryDataStore { ${method} }
      function create() {
        let store;
        return { connect: (options) => (store ??= new Store(options)) };
      }
      for (const { name, run } of dataStoreConformance({ create })) test(name, run);`,
  });
  const modules = join(folder, 'node_modules');
  for (const id of ['core', 'memory']) {
    cpSync(pack(publicPackage(id).folder).folder, join(modules, '@sched', id), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules', 'vitest'), join(modules, 'vitest'));
  return command(name, args, folder);
}

const cases = dataStoreConformance({ create: () => ({ connect: () => Promise.reject() }) });

test.for(Object.entries(runners))('the kit runs under %s', ([, runner]) => {
  const { exitCode, output } = run(runner);
  expect(exitCode, output).toBe(0);
  expect(Number(runner.passed.exec(output)?.[1]), output).toBe(cases.length);
});

test.for(Object.entries(runners))('%s fails with a store that does', ([, runner]) => {
  const { exitCode, output } = run(runner, "async release() { return ['lost']; }");
  expect(output).toContain('G2 one owner: ');
  expect(Number(runner.passed.exec(output)?.[1]), output).toBeGreaterThan(cases.length / 2);
  expect(exitCode).not.toBe(0);
});
