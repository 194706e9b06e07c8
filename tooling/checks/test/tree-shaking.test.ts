import { describe, expect, test } from 'vitest';
import { scratchFolder } from '../src/scratch.ts';
import { bundlers, type Part, partsIn } from '../src/tree-shaking.ts';

const parts: Part[] = [
  { name: 'at', files: /^packages\/core\/src\/triggers\/at\.ts$/ },
  { name: 'every', files: /^packages\/core\/src\/triggers\/every\.ts$/ },
  { name: 'cron', files: /^packages\/core\/src\/triggers\/cron/ },
  {
    name: 'combinations',
    files: /^packages\/core\/src\/triggers\/(combination|any-of|all-of|except)\.ts$/,
  },
  { name: 'scheduler', files: /^packages\/core\/src\/scheduler/ },
  { name: 'worker', files: /^packages\/core\/src\/worker/ },
  { name: 'copy', files: /^packages\/core\/src\/copy\// },
  { name: 'testing', files: /^packages\/core\/src\/testing\// },
  { name: 'kit', files: /^packages\/core\/src\/conformance\// },
  { name: 'adapters', files: /^packages\/(?!core\/)/ },
];

const core = (names: string) => `export { ${names} } from '@sched/core';`;

describe.for(Object.entries(bundlers))('%s', ([, bundler]) => {
  // What the other cases rely on: a part that is used is seen.
  test('sees every part of a bundle of everything', async () => {
    const code = [
      core('at, every, cron, anyOf, allOf, except, createScheduler, copyTasks'),
      "export * from '@sched/core/conformance';",
      "export * from '@sched/core/testing';",
      "export * from '@sched/memory';",
    ].join('\n');
    expect(await partsIn(bundler, code, parts)).toEqual(parts.map(({ name }) => name));
  });

  test.for([
    ['at', ['at']],
    ['every', ['every']],
    ['cron', ['cron']],
    ['anyOf, allOf, except', ['combinations']],
    // The commonest calls, schedule(task, { cron }) and { every }, work without importing these.
    ['createScheduler', ['at', 'every', 'cron', 'scheduler', 'worker']],
    ['copyTasks', ['copy']],
    ['isSchedError, SchedError', []],
    ['defineTask', []],
  ] as const)('{ %s } brings in nothing else', async ([names, expected]) => {
    expect(await partsIn(bundler, core(names), parts)).toEqual(expected);
  });

  test('the kit brings in no adapter', async () => {
    const code = "export * from '@sched/core/conformance';";
    const found = await partsIn(bundler, code, parts);
    expect(found).toContain('kit');
    expect(found).not.toContain('adapters');
  });

  describe('in a package of two triggers', () => {
    const cron = [{ name: 'cron', files: /cron\.js$/ }];

    /** What importing `every` brings in of the other trigger, whose module also holds some code. */
    function partsBeside(code: string): Promise<string[]> {
      const folder = scratchFolder({
        'package.json': '{"type":"module"}',
        'index.js': "export { every } from './every.js';\nexport { cron } from './cron.js';\n",
        'every.js': 'export const day = 24 * 3600;\nexport const every = () => day;\n',
        'cron.js': [
          "import { day } from './every.js';",
          'const names = ["january", "february", "march", "april", "may", "june", "july", "august"];',
          'export function cron(text) { return names.indexOf(text) * day; }',
          code,
        ].join('\n'),
      });
      return partsIn(bundler, core('every'), cron, () => `${folder}/index.js`);
    }

    test('one that is not imported stays out', async () => {
      expect(await partsBeside('')).toEqual([]);
    });

    test('one that registers itself fails', async () => {
      expect(await partsBeside('(globalThis.kinds ??= []).push(cron);')).toEqual(['cron']);
    });

    test('a constant that a bundler has to keep is nothing', async () => {
      expect(await partsBeside('const window = 5 * day;')).toEqual([]);
    });
  });
});
