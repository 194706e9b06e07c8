import { join } from 'node:path';
import { expect, test } from 'vitest';
import { codeBlocks, markdownFiles, typeProblems } from '../src/code-blocks.ts';
import { root } from '../src/workspace.ts';

test('every TypeScript block of the documentation type-checks', () => {
  const blocks = markdownFiles().flatMap((file) => codeBlocks(file));
  expect(blocks).toContainEqual(expect.objectContaining({ file: join(root, 'README.md') }));
  expect(typeProblems(blocks)).toEqual([]);
});

const file = join(root, 'packages/core/FIXTURE.md');
const problemsOf = (text: string) => typeProblems(codeBlocks(file, text));

test('a block that type-checks passes', () => {
  const text = '```ts\nimport { SchedError } from "@sched/core";\n\nthrow SchedError;\n```\n';
  expect(problemsOf(text)).toEqual([]);
});

test('a name that the package does not export fails, with its line', () => {
  const text = '# Title\n\n```ts\nimport { nothing } from "@sched/core";\n```\n';
  expect(problemsOf(text)).toEqual([
    expect.stringMatching(/^packages\/core\/FIXTURE\.md:4 TS2305: .*nothing/),
  ]);
});

test('an import path that the package does not have fails', () => {
  expect(problemsOf('```ts\nimport "@sched/core/nowhere";\n```\n')).toHaveLength(1);
});

test('what the strict options refuse fails', () => {
  expect(
    problemsOf('```ts\nconst list: number[] = [];\nconst first: number = list[0];\n```'),
  ).toEqual([expect.stringContaining('TS2322')]);
});

test('blocks stand alone unless one says that it continues', () => {
  const first = '```ts\nconst answer = 42;\nexport {};\n```\n';
  expect(problemsOf(`${first}\nThen:\n\n\`\`\`ts\nconsole.log(answer);\n\`\`\`\n`)).toHaveLength(1);
  expect(
    problemsOf(`${first}\nThen:\n\n\`\`\`ts continued\nconsole.log(answer);\n\`\`\`\n`),
  ).toEqual([]);
});

test('a mistake in a continued block is found on its own line', () => {
  const text = '```ts\nconst answer = 42;\n```\n\nThen:\n\n```ts continued\nanswer.missing;\n```\n';
  expect(problemsOf(text)).toEqual([expect.stringMatching(/FIXTURE\.md:8 TS2339/)]);
});

test('a block that names a file is imported by that name, and goes on under it', () => {
  const block = (name: string, code: string) => `\`\`\`ts ${name}\n${code}\n\`\`\`\n\nThen:\n\n`;
  const files = [
    block('src/a.ts', 'export const answer = 42;'),
    block('test/b.ts', "import { question } from '../src/a.ts';"),
    block('src/a.ts', 'export const question = answer;'),
  ];
  expect(problemsOf(files.join(''))).toEqual([]);
  expect(problemsOf(files.slice(0, 2).join(''))).toEqual([
    expect.stringMatching(/FIXTURE\.md:8 TS2305: .*question/),
  ]);
  expect(problemsOf(files.slice(1).join(''))).toEqual([
    expect.stringMatching(/FIXTURE\.md:8 TS2304: .*answer/),
  ]);
});

test('blocks in other languages are left alone', () => {
  expect(problemsOf('```sh\nnpm start\n```\n\n```text\nnot code\n```\n')).toEqual([]);
});
