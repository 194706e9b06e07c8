import { createInterface } from 'node:readline/promises';
import type { DataStore, SchedulerOptions, TaskDefinition, TriggerKind } from '@sched/core';
import { createScheduler, defineTask, isSchedError, type Scheduler } from '@sched/core';
import { createStore, findTarget, type StoreOptions, type StoreTarget } from './adapters.js';
import { type Config, findConfig, isDataStore, loadConfig } from './config.js';
import { Failure, UsageError } from './errors.js';
import type { Io } from './io.js';
import { Output } from './output.js';
import { redactor } from './redact.js';
import { asParameters } from './store-options.js';
import { combinations } from './when-text.js';

/** The options that every command has. */
export interface GlobalOptions {
  readonly store?: string;
  readonly config?: string;
  readonly alias?: string;
  readonly option?: StoreOptions;
  readonly json?: boolean;
  readonly yes?: boolean;
  readonly color: boolean;
}

/** A store that is open, and what goes with it. */
export interface Session {
  readonly store: DataStore;
  /** The tasks in it. Never started. */
  readonly client: Scheduler;
  /** Where the store is, without a password. */
  readonly place: string;
  /** What the configuration defines; undefined where it defines nothing, or there is none. */
  readonly tasks: readonly TaskDefinition[] | undefined;
  readonly triggers: readonly TriggerKind[];
  /** The client, with a definition of that name. */
  clientFor(name: string): { readonly client: Scheduler; readonly task: TaskDefinition };
}

/** How to open a store. */
interface Opening {
  /** Whether what is missing of the schema may be created. Only of stores that were named by a URL. */
  readonly migrate?: boolean;
  /** Told what a store says of its server. */
  readonly onWarning?: (warning: { readonly message: string }) => void;
}

/** Where the store of a command is: at a URL, or in a configuration; and what else that says. */
export type Source =
  | { readonly target: StoreTarget; readonly config?: Config }
  | { readonly target?: undefined; readonly config: Config };

/** What commands have in common. One is made for each call of `main`. */
export class Cli {
  readonly io: Io;
  /** What the process is to end with. */
  exitCode = 0;
  #options: () => GlobalOptions = () => ({ color: true });

  constructor(io: Io) {
    this.io = io;
  }

  /** @param options gives what was typed, once it has been read */
  readsFrom(options: () => GlobalOptions): void {
    this.#options = options;
  }

  get options(): GlobalOptions {
    return this.#options();
  }

  get out(): Output {
    const { json = false, color } = this.options;
    return new Output(this.io, { json, color, redact: this.#redact });
  }

  /** Takes out of a text what stands as a password in an argument or in the environment. */
  get #redact(): (text: string) => string {
    const { store = '', option = {} } = this.options;
    const values = Object.values(this.io.env).filter((value) => value?.includes('://'));
    const given = asParameters(option);
    return redactor([store, ...this.#secrets, ...given, ...(values as string[])]);
  }

  readonly #secrets: string[] = [];

  /** The store that a command is about. */
  async source(): Promise<Source> {
    const { store, config: path, option = {} } = this.options;
    const { cwd, env } = this.io;
    const config = path === undefined ? {} : { config: await loadConfig(cwd, path) };
    if (store !== undefined)
      return { target: findTarget('--store', store, option, cwd), ...config };
    if (config.config) return config;
    if (env.SCHED_STORE) return { target: findTarget('SCHED_STORE', env.SCHED_STORE, option, cwd) };
    const found = findConfig(cwd);
    if (found) return { config: await loadConfig(cwd, found) };
    throw new UsageError(
      'Which store? Give --store <url>, or set SCHED_STORE, or write a sched.config.ts in this folder.',
    );
  }

  /** Another store than that of the command, by its URL. */
  target(option: string, url: string, options: StoreOptions): StoreTarget {
    this.#secrets.push(url, ...asParameters(options));
    return findTarget(option, url, options, this.io.cwd);
  }

  /** Makes the store of a source. It is not open yet. */
  async create(
    source: Source,
    { migrate = false, onWarning = () => {} }: Opening = {},
  ): Promise<{ readonly store: DataStore; readonly place: string }> {
    if (source.target) {
      const { target } = source;
      const isRedis = target.adapter.package === '@sched/redis';
      const more = { migrate, ...(isRedis && { onWarning }) };
      return { store: await createStore(target, this.io.cwd, more), place: target.place };
    }
    const { options, file } = source.config;
    const store = pick(options, this.options.alias);
    return { store, place: `the ${store.name} store of ${file}` };
  }

  /** Opens the store of a source for some work, and closes it. */
  async open<T>(
    source: Source,
    work: (session: Session) => Promise<T>,
    opening: Opening = {},
  ): Promise<T> {
    const { store, place } = await this.create(source, opening);
    const given: Partial<SchedulerOptions> = source.config?.options ?? {};
    const triggers = [...combinations, ...(given.triggers ?? [])];
    const make = (tasks: readonly TaskDefinition[]) =>
      createScheduler({ ...given, store, tasks, triggers });
    const { tasks } = given;
    const client = make(tasks ?? []);
    await store.open().catch((error: unknown) => {
      if (!isSchedError(error, 'SCHED_STORE_SCHEMA') || !source.target) throw error;
      const advice = 'To create or upgrade it: sched schema apply.';
      throw new Failure(`${error.message} ${advice}`, { code: error.code, cause: error });
    });
    try {
      return await work({
        ...{ store, client, place, tasks, triggers },
        clientFor(name) {
          const known = tasks?.find((task) => task.name === name);
          if (known) return { client, task: known };
          const task = defineTask<unknown>(name);
          return { client: make([...(tasks ?? []), task]), task };
        },
      });
    } finally {
      await client.stop();
      await store.close();
    }
  }

  /** Runs the work of a command on its store. What it gives is what the process ends with. */
  async onStore(
    work: (session: Session) => Promise<number | undefined>,
    opening?: Opening,
  ): Promise<void> {
    this.exitCode = (await this.open(await this.source(), work, opening)) ?? 0;
  }

  /**
   * Makes sure that something is wanted: by `--yes`, or by asking on a terminal.
   *
   * @param what would be done, as a sentence
   * @throws UsageError where it is not, or where there is nobody to ask
   */
  async consent(what: string): Promise<void> {
    if (this.options.yes) return;
    const { stdin, stderr } = this.io;
    if (stdin.isTTY && stderr.isTTY && !this.options.json) {
      const terminal = createInterface({ input: stdin, output: stderr });
      try {
        if (/^y(es)?$/i.test((await terminal.question(`${what} Go on? [y/N] `)).trim())) return;
      } finally {
        terminal.close();
      }
      throw new UsageError('Nothing has been changed.');
    }
    throw new UsageError(`${what} Nothing has been changed: say --yes to do it.`);
  }
}

function pick({ store }: SchedulerOptions, alias: string | undefined): DataStore {
  if (isDataStore(store)) return store;
  const stores = Object.entries(store ?? {});
  const [, found] = stores.find(([name]) => alias === undefined || name === alias) ?? [];
  if (isDataStore(found)) return found;
  const known = stores.map(([name]) => name).join(', ') || 'none';
  throw new UsageError(`There is no store ${alias ?? ''} in the configuration. It has: ${known}.`);
}
