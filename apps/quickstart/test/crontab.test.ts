import { describe, expect, test } from 'vitest';
import { type CrontabLine, type CrontabOptions, parseCrontab } from '../src/crontab.ts';

const parse = (text: string | string[], options: Partial<CrontabOptions> = {}) =>
  parseCrontab([text].flat().join('\n'), { timeZone: 'UTC', ...options });

function only(text: string | string[], options?: Partial<CrontabOptions>): CrontabLine {
  const { lines, problems } = parse(text, options);
  expect(problems).toEqual([]);
  expect(lines).toHaveLength(1);
  return lines[0] as CrontabLine;
}

const nextAfter = ({ trigger }: CrontabLine, time: string) => {
  const at = Date.parse(time);
  const next = trigger.next(at, { id: 'x', declaredAt: at });
  return next === null ? null : new Date(next).toISOString();
};

describe('schedules', () => {
  test.for([
    ['5 4 * * * run', '5 4 * * *', 'run', '2026-01-01T04:05:00.000Z'],
    ['*/10 * * * * * run it', '*/10 * * * * *', 'run it', '2026-01-01T00:00:10.000Z'],
    ['0 0 9 * * MON-FRI run', '0 0 9 * * MON-FRI', 'run', '2026-01-01T09:00:00.000Z'],
    ['0 0 9 * * 5,6 run', '0 0 9 * * 5,6', 'run', '2026-01-02T09:00:00.000Z'],
    ['@daily run', '@daily', 'run', '2026-01-02T00:00:00.000Z'],
    ['@every 1m30s run', '@every 1m30s', 'run', '2026-01-01T00:01:30.000Z'],
    // Tabs and blanks separate the fields, and begin a line.
    [' \t17 *\t* * *   run  it ', '17 * * * *', 'run  it', '2026-01-01T00:17:00.000Z'],
    // A command may begin with a digit: no field does so and goes on with a letter.
    ['* * * * * 7z a b', '* * * * *', '7z a b', '2026-01-01T00:01:00.000Z'],
    ['* * * * * sunrise', '* * * * *', 'sunrise', '2026-01-01T00:01:00.000Z'],
  ])('%s', ([text = '', schedule, command, next]) => {
    const line = only(text);
    expect(line).toMatchObject({ schedule, command, user: null, number: 1 });
    expect(nextAfter(line, '2026-01-01T00:00:00Z')).toBe(next);
  });

  test('are read in the zone of the machine, or in that of the last CRON_TZ above them', () => {
    const text = ['0 9 * * * a', 'CRON_TZ=Asia/Tokyo', '0 9 * * * b', 'CRON_TZ=""', '0 9 * * * c'];
    const { lines } = parse(text, { timeZone: 'Europe/Berlin' });
    expect(lines.map(({ timeZone }) => timeZone)).toEqual(['', 'Asia/Tokyo', '']);
    expect(lines.map((line) => nextAfter(line, '2026-01-01T09:00:00Z'))).toEqual([
      '2026-01-02T08:00:00.000Z',
      '2026-01-02T00:00:00.000Z',
      '2026-01-02T08:00:00.000Z',
    ]);
  });
});

test('comments, empty lines, carriage returns and a byte order mark are no part of it', () => {
  const text = '\uFEFF# a comment\r\n\r\n   \t\r\n  # another\r\n* * * * * run # not a comment\r\n';
  expect(only(text)).toMatchObject({ number: 5, command: 'run # not a comment' });
});

test('variables hold for the lines below them, and keep what is in quotes', () => {
  const { lines } = parse([
    'A = 1',
    '* * * * * first',
    'A=2',
    `B="  two  "`,
    `'C D'='x'`,
    'E=',
    'F=a "b" = c',
    '* * * * * second A=3',
  ]);
  expect(lines.map(({ env }) => env)).toEqual([
    { A: '1' },
    { A: '2', B: '  two  ', 'C D': 'x', E: '', F: 'a "b" = c' },
  ]);
});

test.for([
  ['date +\\%T', 'date +%T', null],
  ['mail%Hello%World', 'mail', 'Hello\nWorld\n'],
  ['cat%100 \\% sure', 'cat', '100 % sure\n'],
  ['cat%', 'cat', '\n'],
])('percent signs: %s', ([text, command, input]) => {
  expect(only(`* * * * * ${text}`)).toMatchObject({ command, input });
});

describe('a line that cannot be read', () => {
  test.for([
    ['61 * * * * run', 1, 'minute', /"61" is out of range/],
    ['  0 0 31 13 * run', 10, 'month', /"13" is out of range/],
    ['0 0 * * 8 run', 9, 'day of week', /out of range/],
    ['0 0 0 * * 6,x run', 13, 'day of week', /"x" cannot stand here/],
    ['* * * echo hi', 7, 'month', /"echo" cannot stand here/],
    ['* * run', 8, 'expression', /has 3 fields/],
    ['@fortnightly run', 1, 'expression', /@hourly/],
    ['@every run', 8, 'interval', /"run"/],
    ['@every', 7, 'interval', /""/],
    ['@every -5s run', 8, 'interval', /-5s/],
    ['* * * * *', 10, 'command', /missing/],
    ['@daily', 7, 'command', /missing/],
    ['CRON_TZ=Mars/Olympus', 9, 'CRON_TZ', /Mars\/Olympus/],
    ['* * * * * a\0b', 12, 'line', /zero byte/],
  ] as [string, number, string, RegExp][])('%s', ([source, column, field, text]) => {
    const { lines, problems } = parse(['# first', source, '* * * * * good']);
    expect(problems).toEqual([
      { line: 2, column, field, source, text: expect.stringMatching(text) },
    ]);
    expect(lines).toHaveLength(1);
  });

  test('is reported along with all others', () => {
    const { problems } = parse(['60 * * * * a', '* 24 * * * b', '* * 0 * * c']);
    expect(problems.map(({ line, field }) => [line, field])).toEqual([
      [1, 'minute'],
      [2, 'hour'],
      [3, 'day of month'],
    ]);
  });
});

test('@reboot, MAILTO and TZ are remarked upon', () => {
  const { lines, remarks, problems } = parse([
    'MAILTO=root',
    'MAILTO=""',
    'TZ=Asia/Tokyo',
    '@reboot start-it',
  ]);
  expect({ lines, problems }).toEqual({ lines: [], problems: [] });
  expect(remarks).toEqual([
    { line: 1, text: expect.stringMatching(/no mail/) },
    { line: 3, text: expect.stringMatching(/CRON_TZ/) },
    { line: 4, text: expect.stringMatching(/left out: @reboot/) },
  ]);
});

describe('a system crontab', () => {
  /** As Debian installs it. */
  const debian = `# /etc/crontab: system-wide crontab
SHELL=/bin/sh
# You can also override PATH, but by default, newer versions inherit it from the environment
#PATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin

# *  *  *  *  * user-name command to be executed
17 *\t* * *\troot\tcd / && run-parts --report /etc/cron.hourly
25 6\t* * *\troot\ttest -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }
47 6\t* * 7\troot\ttest -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.weekly; }
52 6\t1 * *\troot\ttest -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.monthly; }
#
`;

  test('names a user before the command', () => {
    const { lines, remarks, problems } = parse(debian, { isSystem: true });
    expect({ remarks, problems }).toEqual({ remarks: [], problems: [] });
    expect(lines.map(({ schedule, user, env }) => ({ schedule, user, env }))).toEqual(
      ['17 * * * *', '25 6 * * *', '47 6 * * 7', '52 6 1 * *'].map((schedule) => ({
        schedule,
        user: 'root',
        env: { SHELL: '/bin/sh' },
      })),
    );
    expect(lines[0]?.command).toBe('cd / && run-parts --report /etc/cron.hourly');
    expect(lines[2] && nextAfter(lines[2], '2026-01-01T00:00:00Z')).toBe(
      '2026-01-04T06:47:00.000Z',
    );
  });

  test('holds lines of others, which are left out', () => {
    const text = ['* * * * * * ada a', '@daily root b', '@every 5s ada c'];
    const { lines, remarks } = parse(text, { isSystem: true, onlyUser: 'ada' });
    expect(lines.map(({ command }) => command)).toEqual(['a', 'c']);
    expect(remarks).toEqual([
      { line: 2, text: expect.stringMatching(/left out: it is for root, and you are ada/) },
    ]);
  });

  test.for([
    ['* * * * *', 10, 'user'],
    ['@daily root', 12, 'command'],
    ['60 * * * * root x', 1, 'minute'],
  ] as [string, number, string][])(
    'with a line that cannot be read: %s',
    ([text, column, field]) => {
      expect(parse(text, { isSystem: true }).problems).toMatchObject([{ line: 1, column, field }]);
    },
  );
});
