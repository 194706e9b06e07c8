import { expect, test } from 'vitest';
import { table } from '../src/report/markdown.ts';
import { measure } from '../src/run.ts';
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

const variant = (name: string, figures: number[], note: (name: string) => void) => ({
  name,
  async run() {
    note(name);
    return { speed: figures.shift() ?? 0 };
  },
});

test('variants take turns, and each round is compared with the baseline of the same round', async () => {
  const order: string[] = [];
  const note = (name: string) => order.push(name);
  const scenario = {
    ...{ name: 'sample', title: 'A sample', baseline: 'base' },
    variants: async () => [variant('base', [10, 100], note), variant('other', [20, 400], note)],
  };
  const { rows } = await measure(scenario, 2, 1, () => {});
  expect(order).toEqual(['base', 'other', 'other', 'base']);
  expect(rows).toEqual([
    {
      variant: 'base',
      figure: 'speed',
      median: 55,
      min: 10,
      max: 100,
      ratio: 1,
      values: [10, 100],
    },
    {
      variant: 'other',
      figure: 'speed',
      median: 210,
      min: 20,
      max: 400,
      ratio: 3,
      values: [20, 400],
    },
  ]);
  expect(table(rows).split('\n')).toEqual([
    '| figure | variant | median | min – max | ratio |',
    '|--------|---------|--------|-----------|-------|',
    '| speed  | base    | 55     | 10 – 100  | 1.00  |',
    '| speed  | other   | 210    | 20 – 400  | 3.00  |',
  ]);
});

test('a variant that fails is named, and not tried again; the others go on', async () => {
  const order: string[] = [];
  const note = (name: string) => {
    order.push(name);
    if (name === 'bad') throw new Error('no luck');
  };
  const scenario = {
    ...{ name: 'sample', title: 'A sample' },
    variants: async () => [variant('bad', [], note), variant('good', [1, 2], note)],
  };
  const { rows, failures } = await measure(scenario, 2, 1, () => {});
  expect(order).toEqual(['bad', 'good', 'good']);
  expect(failures).toEqual({ bad: 'no luck' });
  expect(rows.map(({ variant: name }) => name)).toEqual(['good']);
});
