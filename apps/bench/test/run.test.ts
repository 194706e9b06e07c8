import { expect, test } from 'vitest';
import { measure, table } from '../src/run.ts';
import { median, percentile } from '../src/stats.ts';

test('the median is the middle figure, or the mean of the two in the middle', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(median([])).toBeNaN();
});

test('a percentile is the figure that this share does not exceed', () => {
  const figures = Array.from({ length: 100 }, (_, i) => i + 1);
  expect(percentile(figures, 0.5)).toBe(50);
  expect(percentile(figures, 0.99)).toBe(99);
  expect(percentile(figures, 1)).toBe(100);
});

test('variants take turns, and each round is compared with the baseline of the same round', async () => {
  const order: string[] = [];
  const variant = (name: string, figures: number[]) => async () => {
    order.push(name);
    return { speed: figures.shift() ?? 0 };
  };
  const scenario = {
    name: 'sample',
    title: 'A sample',
    baseline: 'base',
    variants: { base: variant('base', [10, 100]), other: variant('other', [20, 400]) },
  };
  const rows = await measure(scenario, 2, 1, () => {});
  expect(order).toEqual(['base', 'other', 'other', 'base']);
  expect(rows).toEqual([
    { variant: 'base', figure: 'speed', median: 55, min: 10, max: 100, ratio: 1 },
    { variant: 'other', figure: 'speed', median: 210, min: 20, max: 400, ratio: 3 },
  ]);
  expect(table(rows).split('\n')).toEqual([
    '| variant | figure | median | min – max | ratio |',
    '|---------|--------|--------|-----------|-------|',
    '| base    | speed  | 55     | 10 – 100  | 1.00  |',
    '| other   | speed  | 210    | 20 – 400  | 3.00  |',
  ]);
});
