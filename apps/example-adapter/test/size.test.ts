import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const source = new URL('../src/', import.meta.url);

test('the adapter has at most 250 lines of code', () => {
  const lines = readdirSync(source)
    .flatMap((file) => readFileSync(new URL(file, source), 'utf8').split('\n'))
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^(\/\/|\/\*\*|\*)/.test(line));
  expect(lines.length).toBeGreaterThan(100);
  expect(lines.length).toBeLessThanOrEqual(250);
});
