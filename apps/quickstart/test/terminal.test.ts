import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { createPlace, main } from './support/app.ts';
import { Terminal } from './support/terminal.ts';

/** Runs the app in a terminal, by the `script` of util-linux or of BSD; gives all that it wrote to it. */
function inTerminal(command: string, folder: string, env: Readonly<Record<string, string>>) {
  const args =
    process.platform === 'linux'
      ? ['-qec', command, '/dev/null']
      : ['-q', '/dev/null', '/bin/sh', '-c', command];
  return spawnSync('/usr/bin/script', args, {
    cwd: folder,
    env: { ...env, TERM: 'xterm' },
    encoding: 'utf8',
  });
}

test('in a terminal the panel is drawn in place, and nothing is left of it at the end', () => {
  const place = createPlace();
  place.write('crontab', '* * * * * * echo hello', '0 0 1 1 * never-now');
  const app = `'${process.execPath}' '${main}' --crontab crontab --for 2s`;
  const { status, stdout } = inTerminal(
    `stty columns 100 rows 20; ${app}`,
    place.folder,
    place.env,
  );
  expect(status).toBe(0);
  expect(stdout).toContain('\x1b[');

  const frames = stdout.split('\x1b[?2026h');
  const terminal = new Terminal(100, 20);
  const seen = frames.map((frame) => {
    terminal.write(frame);
    return terminal.lines.join('\n');
  });
  const panel =
    /─{99}\n {4}next run .*\n.*echo hello.*\n.*1 Jan.*never-now.*\n.* ok · .*\n.*Ctrl-C/;
  for (const frame of seen.slice(1, -1)) {
    expect(frame).toMatch(panel);
    expect(frame.match(/next run/g)).toHaveLength(1);
  }
  expect(seen.at(-1)).not.toMatch(/next run/);
  expect(seen.at(-1)).toMatch(/ok +echo hello .*\n(?:.*\n)*summary .* ok, 0 failed/);
  // Neither another screen nor a hidden cursor: there is nothing to put back if it is killed.
  expect(stdout).not.toMatch(/\?1049|\?25l/);
});

test('--plain and a terminal that cannot move its cursor get lines', () => {
  const place = createPlace();
  place.write('crontab', '* * * * * * echo hello');
  const app = `'${process.execPath}' '${main}' --crontab crontab --for 1s`;
  for (const command of [`${app} --plain`, `TERM=dumb ${app}`]) {
    const { status, stdout } = inTerminal(command, place.folder, place.env);
    expect(status).toBe(0);
    expect(stdout).not.toContain('─');
    expect(stdout).not.toContain('\x1b[?');
  }
});
