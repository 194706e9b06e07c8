import { expect, test } from 'vitest';
import { readOptions } from '../src/options.ts';

test('file names are relative to the folder in which npm was called', () => {
  expect(readOptions(['--crontab', 'a/b', '--db', '../c.db'], '/home/ada')).toMatchObject({
    crontab: '/home/ada/a/b',
    db: '/home/c.db',
  });
});

test.for([
  ['/etc/crontab', true],
  ['/etc/cron.d/e2scrub_all', true],
  ['/etc/cron.d/sub/folder', false],
  ['/home/ada/etc/crontab', false],
] as [string, boolean][])('%s is a system crontab: %s', ([path, isSystem]) => {
  expect(readOptions(['--crontab', path], '/')).toMatchObject({ isSystem });
  expect(readOptions(['--crontab', path, '--system'], '/')).toMatchObject({ isSystem: true });
});

test.for([
  ['20s', 20_000],
  ['5m', 300_000],
  ['1h30m', 5_400_000],
  ['1h0m1s', 3_601_000],
] as [string, number][])('--for %s is %d ms', ([text, forMs]) => {
  expect(readOptions(['--for', text], '/')).toMatchObject({ forMs });
});

test.for(['', '20', '1m 30s', '-5s', '1.5s', '30s1m', '0s', 's'])(
  '--for "%s" is refused',
  (text) => {
    expect(() => readOptions([`--for=${text}`], '/')).toThrow(/--for is/);
  },
);
