import { Command } from '@commander-js/extra-typings';
import type { Selection } from '@sched/core';
import type { Cli, Session } from './cli.js';
import { UsageError } from './errors.js';
import { visible } from './output.js';
import { existing, plural } from './tasks.js';

/** The tasks that a command is about. */
interface Selected {
  readonly selection: Selection;
  /** In words. */
  readonly text: string;
  /** Whether they were named one by one. */
  readonly isNamed: boolean;
}

/** A command about tasks that are named, or those of a group, or all of them. */
export function bulkCommand(
  cli: Cli,
  name: string,
  description: string,
  work: (session: Session, selected: Selected) => Promise<undefined>,
) {
  return new Command(name)
    .description(description)
    .argument('[ids...]', 'the tasks')
    .option('--group <group>', 'those of this group')
    .option('--all', 'all of them')
    .action((ids, { group, all }) => {
      const ways = [ids.length > 0, group !== undefined, all === true];
      if (ways.filter(Boolean).length !== 1) {
        throw new UsageError('Which tasks? Give ids, or --group, or --all.');
      }
      return cli.onStore(async (session) => work(session, await select(session, ids, group)));
    });
}

/** @throws SchedError `SCHED_TASK_NOT_FOUND` where one that is named is not there */
async function select(
  session: Session,
  ids: readonly string[],
  group: string | undefined,
): Promise<Selected> {
  if (ids.length > 0) {
    for (const id of ids) await existing(session, id);
    const text = `the task${ids.length === 1 ? '' : 's'} ${ids.map((id) => visible(id)).join(', ')}`;
    return { selection: ids, text, isNamed: true };
  }
  const count = await session.client.count(group === undefined ? {} : { group });
  const of = group === undefined ? ', all that there are' : ` of the group ${visible(group)}`;
  const selection = group === undefined ? { all: true as const } : { group };
  return { selection, text: `${plural(count, 'task')}${of}`, isNamed: false };
}

/** Writes how many tasks have been changed. */
export function reportChanged({ out }: Cli, what: string, changed: number): void {
  out.show({ [what]: changed }, () => `${plural(changed, 'task')} ${what}.`);
}
