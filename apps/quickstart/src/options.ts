import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

export const help = `Runs the lines of a crontab-like file as tasks that survive the death of this process.

Usage: npm start -- [options]

  --crontab FILE   the schedule; the sample in apps/quickstart/schedule.crontab by default
  --system         a user is named before each command, as in /etc/crontab and /etc/cron.d (where that is known)
  --as-me          in a system crontab, run the lines of other users too, as yourself
  --db FILE        the SQLite file that holds the tasks; one for each schedule in ./.sched-quickstart by default
  --dashboard      show the tasks in a browser too, at the address that is written
  --for TIME       end by itself after this time, such as 20s or 1m30s
  --timeout TIME   end a command that runs longer than this; 1h by default
  --plain          write line by line, in a terminal too
  --help           say this

Ctrl-C stops when the commands that are running have ended, a second Ctrl-C at once.
Exit codes: 0 fine, 1 something failed, 2 the arguments or the schedule cannot be read.
`;

/** The user's mistake, to be put right by the user: no stack trace helps. */
export class UsageError extends Error {}

export interface Options {
  readonly crontab: string;
  readonly isSystem: boolean;
  readonly asMe: boolean;
  /** The database; null for the one that belongs to the schedule. */
  readonly db: string | null;
  readonly forMs: number | null;
  readonly timeoutMs: number;
  readonly isPlain: boolean;
  readonly hasDashboard: boolean;
}

const sample = fileURLToPath(new URL('../schedule.crontab', import.meta.url));

/**
 * @param from the folder that file names are relative to
 * @returns null when help was asked for
 * @throws UsageError
 */
export function readOptions(args: readonly string[], from: string): Options | null {
  const { crontab, system, db, ...values } = parse(args);
  if (values.help) return null;
  const path = crontab === undefined ? sample : resolve(from, crontab);
  return {
    crontab: path,
    isSystem: system ?? /^\/etc\/(?:crontab|cron\.d\/[^/]+)$/.test(path),
    asMe: values['as-me'] ?? false,
    db: db === undefined ? null : resolve(from, db),
    forMs: values.for === undefined ? null : readLength('--for', values.for),
    timeoutMs: readLength('--timeout', values.timeout ?? '1h'),
    isPlain: values.plain ?? false,
    hasDashboard: values.dashboard ?? false,
  };
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        ...{ crontab: text, system: flag, 'as-me': flag, db: text },
        ...{ for: text, timeout: text, plain: flag, dashboard: flag, help: flag },
      },
    });
    return values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\nSee npm start -- --help`);
  }
}

/** Node's timers hold no more. */
const longestMs = 24 * 86_400_000;

function readLength(option: string, text: string): number {
  const [, hours = 0, minutes = 0, seconds = 0] =
    /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(text) ?? [];
  const ms = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
  if (ms > 0 && ms <= longestMs) return ms;
  throw new UsageError(
    `${option} is "${text}". Write a time such as 20s, 5m or 1h30m, of at most 24 days.`,
  );
}
