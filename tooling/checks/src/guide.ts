import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { codeBlocks } from './code-blocks.ts';

/** Says where the files that a page shows, block by block, are not those of the example. */
export function exampleProblems(page: string, example: string): string[] {
  return codeBlocks(page).flatMap(({ path, code }) => {
    if (path === undefined) return [];
    const name = relative(join(dirname(page), relative(dirname(page), page).slice(0, -3)), path);
    const isSame = lines(code) === lines(readFileSync(join(example, name), 'utf8'));
    return isSame ? [] : `${name} of the example is not what the page shows`;
  });
}

const lines = (text: string) => text.replace(/\n\s*\n/g, '\n').trim();

/** Names the sentences in the first column of a page's table that are nowhere in the sources. */
export function sentenceProblems(page: string, sources: readonly string[]): string[] {
  const [, table = ''] = page.split('| sentence | cause |');
  const rows = table.split('\n\n')[0]?.split('\n').slice(2) ?? [];
  const sentences = rows.map((row) => /^\| (`+) ?(.+?) ?\1 \|/.exec(row)?.[2] ?? row);
  if (sentences.length === 0) return ['the page explains no sentence'];
  return sentences
    .filter((sentence) => !sources.some((source) => source.includes(sentence)))
    .map((sentence) => `no case says: ${sentence}`);
}
