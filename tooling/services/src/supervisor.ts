import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Outcome, variableOf } from './client.ts';
import { type Server, type Service, type Site, type StopMode, Unavailable } from './contract.ts';
import { openFolder } from './folders.ts';
import { freePort } from './ports.ts';
import { endRuns, message } from './processes.ts';

/** Has the services of the compose file started, one at a time as they are asked for. */
export interface Compose {
  /** Whether a Docker engine answers here. */
  available(): Promise<boolean>;
  server(service: Service): Promise<Server>;
  /** Removes everything that was started. */
  end(): Promise<void>;
}

export interface SupervisorOptions {
  services: Service[];
  /** Where the servers' data and logs go. */
  folder: string;
  env: NodeJS.ProcessEnv;
  compose: Compose;
}

/** The servers of one run: each started at most once, when it is first asked for. */
export interface Supervisor {
  readonly services: Service[];
  /** Starts a service unless it runs; tells what became of it. Never rejects for a known name. */
  start(name: string, progress?: (text: string) => void): Promise<Outcome>;
  /** Stops a server of ours for a while, or starts it again on the same port with its data. */
  halt(name: string, how: StopMode): Promise<void>;
  resume(name: string): Promise<void>;
  /** What became of every service that was asked for so far. */
  outcomes(): Promise<Outcome[]>;
  /** Stops everything and removes its data. */
  end(): Promise<void>;
}

interface Entry {
  outcome: Promise<Outcome>;
  server?: Server;
  listeners: Set<(text: string) => void>;
}

export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { services, env, compose } = options;
  const entries = new Map<string, Entry>();
  let ending: Promise<void> | undefined;

  const find = (name: string) => {
    const service = services.find((candidate) => candidate.name === name);
    if (service !== undefined) return service;
    const names = services.filter(({ internal }) => !internal).map((known) => known.name);
    throw new Error(`There is no service ${name}; there are ${names.join(', ')}.`);
  };

  function start(name: string, progress: (text: string) => void = () => {}): Promise<Outcome> {
    const service = find(name);
    let entry = entries.get(name);
    if (entry === undefined) {
      const listeners = new Set<(text: string) => void>();
      const tell = (text: string) => {
        for (const listener of listeners) listener(text);
      };
      const created: Entry = {
        listeners,
        outcome: Promise.resolve().then(() => make(service, created, tell)),
      };
      entry = created;
      entries.set(name, created);
    }
    const { listeners, outcome } = entry;
    listeners.add(progress);
    return outcome.finally(() => listeners.delete(progress));
  }

  /** Tries the ways to have a service, one after the other. */
  async function make(
    service: Service,
    entry: Entry,
    progress: (text: string) => void,
  ): Promise<Outcome> {
    const { name, title, optional = false } = service;
    const url = env[variableOf(name)];
    if (url) {
      const about = `given by ${variableOf(name)}`;
      return { name, title, urls: url.split(','), about, restartable: false };
    }
    const failures: string[] = [];
    for (const create of [onMachine, fromCompose]) {
      try {
        const begun = Date.now();
        const server = await create(service, progress);
        if (server === undefined) continue;
        if (ending !== undefined) throw new Unavailable('the run is ending');
        entry.server = server;
        progress('starting');
        await server.start();
        const took = ((Date.now() - begun) / 1000).toFixed(1);
        const about = `${server.version}, ${server.source}, ready in ${took} s`;
        return { name, title, urls: server.urls, about, restartable: true };
      } catch (error) {
        delete entry.server;
        failures.push(message(error));
      }
    }
    return { name, title, optional, missing: failures.join('; ') };
  }

  function onMachine(service: Service, progress: (text: string) => void): Promise<Server> {
    const site: Site = {
      folder: openFolder(join(options.folder, service.name)),
      durable: Boolean(env.SCHED_TEST_DURABLE),
      freePort,
      progress,
      async need(name) {
        const outcome = await start(name, progress);
        if ('missing' in outcome) throw new Unavailable(`it needs ${name}: ${outcome.missing}`);
        return outcome.urls.join(',');
      },
    };
    return service.create(site);
  }

  async function fromCompose(service: Service, progress: (text: string) => void) {
    if (service.compose === undefined || !(await compose.available())) return undefined;
    progress('starting its container');
    return compose.server(service);
  }

  async function running(name: string): Promise<Server> {
    const { title } = find(name);
    await entries.get(name)?.outcome;
    const server = entries.get(name)?.server;
    if (server === undefined) throw new Error(`${title} is not a server of this run.`);
    return server;
  }

  return {
    services,
    start,
    async halt(name, how) {
      await (await running(name)).stop(how);
    },
    async resume(name) {
      await (await running(name)).start();
    },
    outcomes: () => Promise.all([...entries.values()].map(({ outcome }) => outcome)),
    end() {
      ending ??= (async () => {
        const stopAll = () =>
          Promise.all([...entries.values()].map((entry) => entry.server?.stop('end')));
        const allowRuns = endRuns();
        await stopAll();
        // One that was on its way may have come up in the meantime.
        await Promise.all([...entries.values()].map(({ outcome }) => outcome));
        await stopAll();
        allowRuns();
        await compose.end();
        rmSync(options.folder, { recursive: true, force: true });
      })();
      return ending;
    },
  };
}
