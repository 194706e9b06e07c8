import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { exampleProblems, sentenceProblems } from '../src/guide.ts';
import { scratchFolder } from '../src/scratch.ts';
import { root } from '../src/workspace.ts';

const page = join(root, 'docs', 'write-an-adapter.md');

test('the guide shows the example adapter as it is', () => {
  expect(exampleProblems(page, join(root, 'apps', 'example-adapter'))).toEqual([]);
});

test('the sentences that the guide explains are sentences of the kit', () => {
  const folder = join(root, 'packages', 'core', 'src', 'conformance');
  const sources = readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8'));
  expect(sentenceProblems(readFileSync(page, 'utf8'), sources)).toEqual([]);
});

const block = (code: string) => `\`\`\`ts src/a.ts\n${code}\n\`\`\`\n`;

test('another text of a file fails, and empty lines do not matter', () => {
  const folder = scratchFolder({
    'guide.md': `${block('const a = 1;')}\nThen:\n\n${block('const b = 2;')}`,
    'src/a.ts': 'const a = 1;\n\nconst b = 2;\n',
    'other/src/a.ts': 'const a = 1;\nconst c = 3;\n',
  });
  expect(exampleProblems(join(folder, 'guide.md'), folder)).toEqual([]);
  expect(exampleProblems(join(folder, 'guide.md'), join(folder, 'other'))).toEqual([
    'src/a.ts of the example is not what the page shows',
  ]);
});

test('a sentence that no source has fails, and so does a page without any', () => {
  const table =
    '| sentence | cause |\n|---|---|\n| `a is b` | x |\n| `` b is `c` `` | y |\n\nMore.';
  expect(sentenceProblems(table, ["'a is b'", "'b is `c`'"])).toEqual([]);
  expect(sentenceProblems(table, ["'a is b'"])).toEqual(['no case says: b is `c`']);
  expect(sentenceProblems('No table.', [])).toEqual(['the page explains no sentence']);
});
