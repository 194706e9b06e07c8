import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { command } from './command.ts';
import { root } from './workspace.ts';

/** The files here that Git tracks or would track, relative to the repository. */
export function trackedFiles(...patterns: string[]): string[] {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard', '--', ...patterns];
  const { exitCode, output } = command('git', args, root);
  if (exitCode !== 0) throw new Error(output);
  return output.split('\n').filter((path) => path !== '' && existsSync(join(root, path)));
}
