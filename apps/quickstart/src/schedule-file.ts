import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Crontab, type CrontabOptions, type Problem, parseCrontab } from './crontab.ts';
import { UsageError } from './options.ts';

/** @throws UsageError when there is no such file, or anything in it cannot be read */
export function readCrontab(path: string, options: CrontabOptions): Crontab {
  const crontab = parseCrontab(readText(path), options);
  const { lines, problems } = crontab;
  if (problems.length > 0) {
    const report = problems.map((problem) => describe(path, problem)).join('\n');
    throw new UsageError(`${report}\nNothing was scheduled.`);
  }
  if (lines.length === 0) {
    const remarks = crontab.remarks.map(({ line, text }) => `${path}:${line}: ${text}\n`).join('');
    throw new UsageError(`${remarks}${path} has no line to run. Nothing was scheduled.`);
  }
  return crontab;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`The schedule cannot be read: ${(error as Error).message}`);
  }
}

/** As compilers do it: the place, what is wrong, and the line with a mark below. */
function describe(path: string, { line, column, field, text, source }: Problem): string {
  const shown = source.replaceAll('\t', ' ');
  return `${path}:${line}:${column}: ${field}: ${text}\n    ${shown}\n    ${' '.repeat(column - 1)}^`;
}

/** The file that holds the tasks of a schedule unless another is asked for. Creates its folder. */
export function defaultDatabase(from: string, crontab: string): string {
  const folder = join(from, '.sched-quickstart');
  mkdirSync(folder, { recursive: true });
  // It lies in the user's way as little as it can.
  writeFileSync(join(folder, '.gitignore'), '*\n');
  const hash = createHash('sha256').update(crontab).digest('hex').slice(0, 6);
  return join(folder, `${basename(crontab).replace(/[^\w-]+/g, '-')}-${hash}.db`);
}
