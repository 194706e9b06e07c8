import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { DataStore, SchedulerOptions } from '@sched/core';
import { isSchedError } from '@sched/core';
import { Failure, UsageError } from './errors.js';

/** What a configuration gives: the options of `createScheduler`. */
export interface Config {
  readonly file: string;
  readonly options: SchedulerOptions;
}

const names = ['sched.config.ts', 'sched.config.js', 'sched.config.mjs'];

/** The configuration of a folder, if it has one. */
export function findConfig(cwd: string): string | undefined {
  return names.map((name) => join(cwd, name)).find((file) => existsSync(file));
}

/**
 * Loads a configuration: a module whose default export is a data store, or the options of `createScheduler`, or a
 * function that gives either.
 *
 * @throws UsageError when there is no such file; Failure when it throws, or gives something else
 */
export async function loadConfig(cwd: string, path: string): Promise<Config> {
  const file = resolve(cwd, path);
  const name = basename(file);
  if (!existsSync(file)) throw new UsageError(`There is no configuration ${file}.`);
  let given: unknown;
  try {
    const module: { readonly default?: unknown } = await import(pathToFileURL(file).href);
    given = typeof module.default === 'function' ? await module.default() : module.default;
  } catch (cause) {
    throw new Failure(`${name} cannot be loaded. ${reason(cause)}`, {
      cause,
      ...(isSchedError(cause) && { code: cause.code }),
    });
  }
  if (isDataStore(given)) return { file, options: { store: given } };
  if (typeof given === 'object' && given !== null && 'store' in given) {
    return { file, options: given as SchedulerOptions };
  }
  throw new Failure(
    `The default export of ${name} has to be a data store, or the options of createScheduler: { store, tasks }.`,
    { code: 'SCHED_ARGUMENT_INVALID' },
  );
}

function reason(error: unknown): string {
  const { code, name, message } = error as NodeJS.ErrnoException;
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION') {
    return `Node ${process.version} reads no TypeScript by itself: 22.18 and later do. Or write it in JavaScript, as sched.config.mjs.`;
  }
  return error instanceof Error ? `${name}: ${message}` : String(error);
}

export function isDataStore(value: unknown): value is DataStore {
  const store = value as Partial<DataStore> | null | undefined;
  return typeof store?.claim === 'function' && typeof store.open === 'function';
}
