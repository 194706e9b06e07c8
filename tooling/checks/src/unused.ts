import { command } from './command.ts';

/** Asks knip for files, exports and dependencies that nothing uses, and for undeclared ones. */
export function unusedProblems(folder: string, config: string): string[] {
  const args = [
    '--directory',
    folder,
    '--config',
    config,
    '--no-progress',
    '--reporter',
    'compact',
  ];
  const { exitCode, output } = command('knip', args, folder);
  return exitCode === 0 ? [] : [output];
}
