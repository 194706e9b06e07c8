import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { InvalidArgumentError } from '@commander-js/extra-typings';
import type { Cli } from './cli.js';

/** What each file of `commands` exports: makes the command, whose action goes by way of `cli`. */
export type CreateCommand = (cli: Cli) => CommandUnknownOpts;

/** Reads a whole number of at least 1. */
export function count(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It has to be a whole number of at least 1.');
}

/** What `--zone` is for where times are only shown. */
export const zoneHelp = 'the time zone to show times in; default that of this machine';
