import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Outcome, variableOf } from './client.ts';
import type { Server, Service, Site, StopMode } from './contract.ts';
import { memoryFolder, openFolder } from './folders.ts';
import { freePort } from './ports.ts';
import { endRuns, message } from './processes.ts';

/** Has the services of the compose file started, one at a time as they are asked for. */
export interface Compose {
  /** Whether a Docker engine answers here. */
  available(): Promise<boolean>;
  /** A service in an instance of the file of its own; the one called '' is shared. */
  server(service: Service, instance: string): Promise<Server>;
  /** Removes what was started: for one instance, or everything. */
  end(instance?: string): Promise<void>;
}

export interface SupervisorOptions {
  services: Service[];
  /** Where the servers' data and logs go. */
  folder: string;
  env: NodeJS.ProcessEnv;
  compose: Compose;
}

/**
 * The servers of one run, each started at most once, when it is first asked for. `postgres` is the
 * one that all share; `postgres@x` is another, and so are the servers that it stands on.
 */
export interface Supervisor {
  /** Starts a server unless it runs; tells what became of it. Rejects only for an unknown name. */
  start(id: string, progress?: (text: string) => void): Promise<Outcome>;
  /** Stops a server of ours for a while. */
  halt(id: string, how: StopMode): Promise<void>;
  /** Starts it again on the same port with its data. */
  resume(id: string): Promise<void>;
  /** Ends a server that is not shared, and those that were started for it. */
  discard(id: string): Promise<void>;
  /** What became of every shared server that was asked for so far. */
  outcomes(): Promise<Outcome[]>;
  /** Stops everything and removes its data. */
  end(): Promise<void>;
}

interface Entry {
  id: string;
  service: Service;
  outcome: Promise<Outcome>;
  server?: Server;
  folders: string[];
  listeners: Set<(text: string) => void>;
}

const portWasTaken = /address (is )?already in use|EADDRINUSE|could not bind/i;

export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { services, env, compose } = options;
  const entries = new Map<string, Entry>();
  let ending: Promise<void> | undefined;

  function start(id: string, progress: (text: string) => void = () => {}): Promise<Outcome> {
    const { listeners, outcome } = entries.get(id) ?? create(id);
    listeners.add(progress);
    return outcome.finally(() => listeners.delete(progress));
  }

  function create(id: string): Entry {
    const [name] = id.split('@');
    const service = services.find((candidate) => candidate.name === name);
    if (service === undefined) {
      const names = services.filter(({ internal }) => !internal).map((known) => known.name);
      throw new Error(`There is no service ${name}; there are ${names.join(', ')}.`);
    }
    const entry: Entry = {
      id,
      service,
      listeners: new Set(),
      folders: [],
      // Not at once: it uses the entry.
      outcome: Promise.resolve().then(() => make(entry)),
    };
    entries.set(id, entry);
    return entry;
  }

  /** Tries the ways to have a server, one after the other. */
  async function make(entry: Entry): Promise<Outcome> {
    const { name, title, optional = false } = entry.service;
    const url = env[variableOf(name)];
    if (url) {
      const about = `given by ${variableOf(name)}`;
      return { name, title, urls: url.split(','), about, restartable: false };
    }
    const begun = Date.now();
    const failures: string[] = [];
    for (const serverFrom of [onMachine, fromCompose]) {
      try {
        const server = await started(entry, serverFrom);
        if (server === undefined) continue;
        const took = ((Date.now() - begun) / 1000).toFixed(1);
        const about = `${server.version}, ${server.source}, ready in ${took} s`;
        return { name, title, urls: server.urls, about, restartable: true };
      } catch (error) {
        failures.push(message(error));
      }
    }
    return { name, title, optional, missing: failures.join('; ') };
  }

  async function started(
    entry: Entry,
    serverFrom: (entry: Entry) => Promise<Server | undefined>,
    attempts = 3,
  ): Promise<Server | undefined> {
    const server = await serverFrom(entry);
    if (server === undefined) return undefined;
    if (ending !== undefined) throw new Error('the run is ending');
    entry.server = server;
    try {
      await server.start();
      return server;
    } catch (error) {
      delete entry.server;
      // Between the look at the port and the start, somebody else was faster.
      if (attempts === 1 || !portWasTaken.test(message(error))) throw error;
      return started(entry, serverFrom, attempts - 1);
    }
  }

  function onMachine(entry: Entry): Promise<Server> {
    const { id, service, folders } = entry;
    const name = [id, folders.length].join('-');
    const folder = openFolder(join(options.folder, name));
    const durable = Boolean(env.SCHED_TEST_DURABLE);
    const quickFolder = durable ? folder : openFolder(join(memoryFolder(options.folder), name));
    folders.push(folder, quickFolder);
    const site: Site = {
      folder,
      quickFolder,
      durable,
      freePort,
      progress: (text) => tell(entry, text),
      async need(name) {
        const other = id.replace(service.name, name);
        const outcome = await start(other);
        if ('missing' in outcome) throw new Error(`it needs ${name}: ${outcome.missing}`);
        return outcome.urls.join(',');
      },
    };
    return service.create(site);
  }

  async function fromCompose(entry: Entry): Promise<Server | undefined> {
    const { service, id } = entry;
    if (service.compose === undefined || !(await compose.available())) return undefined;
    tell(entry, 'starting its container');
    return compose.server(service, instanceOf(id));
  }

  function tell({ listeners }: Entry, text: string) {
    for (const listener of listeners) listener(text);
  }

  async function running(id: string): Promise<Server> {
    const entry = entries.get(id);
    await entry?.outcome;
    if (entry?.server === undefined) throw new Error(`${id} is not a server of this run.`);
    return entry.server;
  }

  async function stop(which: Entry[]) {
    const stopAll = () => Promise.all(which.map(({ server }) => server?.stop('end')));
    await stopAll();
    // One that was on its way may have come up in the meantime.
    await Promise.all(which.map(({ outcome }) => outcome));
    await stopAll();
    for (const { id, folders } of which) {
      entries.delete(id);
      for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    }
  }

  return {
    start: async (id, progress) => start(id, progress),
    async halt(id, how) {
      await (await running(id)).stop(how);
    },
    async resume(id) {
      await (await running(id)).start();
    },
    async discard(id) {
      const instance = instanceOf(id);
      if (instance === '') throw new Error(`${id} is shared.`);
      await stop([...entries.values()].filter((entry) => instanceOf(entry.id) === instance));
      await compose.end(instance);
    },
    outcomes() {
      const shared = [...entries.values()].filter(({ id }) => instanceOf(id) === '');
      return Promise.all(shared.map(({ outcome }) => outcome));
    },
    end() {
      ending ??= (async () => {
        const allowRuns = endRuns();
        await stop([...entries.values()]);
        allowRuns();
        await compose.end();
        for (const folder of [options.folder, memoryFolder(options.folder)]) {
          rmSync(folder, { recursive: true, force: true });
        }
      })();
      return ending;
    },
  };
}

const instanceOf = (id: string) => id.split('@')[1] ?? '';
