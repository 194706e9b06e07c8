import type { CopyCounts, CopyResult } from '@sched/core';
import type { Cli } from './cli.js';
import { exitCodes } from './errors.js';
import { visible } from './output.js';
import { plural } from './tasks.js';

/** What became of tasks, and those that somebody has to look at. */
type Copied = Pick<CopyResult, 'isComplete' | 'tasks'> & CopyCounts;

/** Writes what became of tasks. @returns what the process is to end with */
export function reportCopied({ out }: Cli, result: Copied): number {
  const { isComplete, tasks } = result;
  out.show(result, () => {
    const counts = (['inserted', 'unchanged', 'replaced', 'kept', 'left', 'refused'] as const)
      .filter((name) => result[name] > 0)
      .map((name) => `${result[name]} ${name}`);
    const { left, refused, differing, changed } = tasks;
    const problems = [
      ...left.map(({ id, reason, owner }) => [id, owner ? `${reason}, by ${owner}` : reason]),
      ...refused.map(({ id, code, message }) => [id, `${code}: ${message}`]),
      ...differing.map(({ id, members }) => [id, `differs in ${members.join(', ')}`]),
      ...changed.map((id) => [id, 'changed meanwhile']),
    ];
    return [
      `${plural(result.read, 'task')}: ${counts.join(', ') || 'nothing to do'}.`,
      ...problems.map(([id = '', why = '']) => `  ${visible(id)}: ${visible(why)}`),
      ...(isComplete
        ? []
        : ['Not everything has been taken over. Do it again once the cause is gone.']),
    ].join('\n');
  });
  return isComplete ? exitCodes.ok : exitCodes.failed;
}
