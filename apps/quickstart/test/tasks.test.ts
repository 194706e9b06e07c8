import { expect, test } from 'vitest';
import { parseCrontab } from '../src/crontab.ts';
import { withIds } from '../src/tasks.ts';

const idsOf = (...text: string[]) => {
  const { lines } = parseCrontab(text.join('\n'), { timeZone: 'UTC' });
  return Object.fromEntries(withIds(lines).map(({ number, id }) => [text[number - 1], id]));
};

test('a line has the same id wherever it stands', () => {
  const [a, b, c] = ['* * * * * a', '# b', '@every 5s c'];
  expect(idsOf(a, b, c)).toEqual(idsOf(c, a));
});

test('every part of what is run, and when, makes another id', () => {
  const lines = ['* * * * * a', '*/1 * * * * a', '* * * * * b', '* * * * * a%1', '* * * * * a%2'];
  const here = Object.values(idsOf(...lines));
  const there = Object.values(idsOf('CRON_TZ=Asia/Tokyo', ...lines));
  expect(new Set([...here, ...there]).size).toBe(10);
});

test('a variable is no part of the id: a change of it changes the task', () => {
  expect(idsOf('A=1', '* * * * * a')).toEqual(idsOf('* * * * * a'));
});

test('lines that say the same have ids of their own', () => {
  const { lines } = parseCrontab('* * * * * a\n* * * * * a\n', { timeZone: 'UTC' });
  const [first, second] = withIds(lines).map(({ id }) => id);
  expect(second).toBe(`${first}-2`);
});

test('an id can be read, however long or strange the command', () => {
  const ids = Object.values(
    idsOf('* * * * * /usr/bin/Über --all', `* * * * * ${'x'.repeat(999)}`, '* * * * * ./_'),
  );
  expect(ids).toEqual([
    expect.stringMatching(/^usr-bin-ber-all-[0-9a-f]{8}$/),
    expect.stringMatching(/^x{30}-[0-9a-f]{8}$/),
    expect.stringMatching(/^line-[0-9a-f]{8}$/),
  ]);
});
