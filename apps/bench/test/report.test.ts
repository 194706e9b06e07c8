import { expect, test } from 'vitest';
import { markdown } from '../src/report/markdown.ts';
import { plots } from '../src/report/svg.ts';
import type { Outcome } from '../src/run.ts';

const row = { figure: 'drain (tasks/s)', ratio: 1, values: [] };
const outcome: Outcome = {
  ...{
    name: 'sqlite-drain',
    title: 'Running 10 tasks',
    note: 'Durability: none',
    baseline: 'sched',
  },
  variants: [{ name: 'sched', note: 'history on' }, { name: 'a < b' }],
  rows: [
    { ...row, variant: 'sched', median: 1000, min: 900, max: 1200 },
    { ...row, variant: 'a < b', median: 500, min: 500, max: 500, ratio: 0.5 },
  ],
  failures: { other: 'no luck\nat all' },
};

test('the report says what was measured, of whom, and who failed', () => {
  expect(markdown('On this machine.', [outcome]).split('\n')).toEqual([
    ...['# Benchmarks', '', 'On this machine.', '', '## sqlite-drain', ''],
    ...['Running 10 tasks. Durability: none.', ''],
    '| figure          | variant | median | min – max   | ratio |',
    '|-----------------|---------|--------|-------------|-------|',
    '| drain (tasks/s) | sched   | 1,000  | 900 – 1,200 | 1.00  |',
    '| drain (tasks/s) | a < b   | 500    | 500 – 500   | 0.50  |',
    ...['', '- sched: history on', '- other failed: no luck', ''],
  ]);
});

test('a plot has a bar and a spread for each variant, for light and dark pages', () => {
  const [[file, text] = []] = plots([outcome]);
  expect(file).toBe('sqlite-drain-drain-tasks-s.svg');
  expect(text?.match(/<rect /g)).toHaveLength(2);
  expect(text?.match(/class="spread"/g)).toHaveLength(2);
  expect(text).toContain('a &lt; b');
  expect(text).toContain('prefers-color-scheme: dark');
});

test('what cannot be compared or drawn has no plot', () => {
  const rows = outcome.rows.map((each, i) => (i === 0 ? each : { ...each, median: Infinity }));
  expect([...plots([{ ...outcome, rows }]).keys()]).toEqual([]);
});
