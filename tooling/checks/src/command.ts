import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from './workspace.ts';

const bins = [
  fileURLToPath(new URL('../node_modules/.bin', import.meta.url)),
  join(root, 'node_modules', '.bin'),
];

/** Runs one of the workspace's own tools and gives its exit code and all that it printed. */
export function command(name: string, args: string[], cwd: string) {
  const result = spawnSync(name, args, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, PATH: [...bins, process.env.PATH].join(':'), NO_COLOR: '1' },
  });
  if (result.error) throw result.error;
  return { exitCode: result.status ?? 1, output: `${result.stdout}${result.stderr}`.trim() };
}
