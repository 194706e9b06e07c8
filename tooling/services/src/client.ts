// For tests: how they say which servers they need, and get them. This file stands alone, because
// packages that import it type-check it with settings of their own.

import { request } from 'node:http';
import { createInterface } from 'node:readline';

declare module 'vitest' {
  interface TaskMeta {
    /** Set on the test that stands for those that a missing server keeps from running. */
    missingService?: string;
  }
}

/** What became of a service that was asked for. */
export type Outcome =
  | { name: string; title: string; urls: string[]; about: string; restartable: boolean }
  | { name: string; title: string; missing: string; optional: boolean };

/** `redis-cluster` → `SCHED_TEST_REDIS_CLUSTER_URL`. Several URLs are separated by commas. */
export function variableOf(name: string): string {
  return `SCHED_TEST_${name.toUpperCase().replaceAll('-', '_')}_URL`;
}

/** The socket of the process that keeps the servers of this run. */
export const controlVariable = 'SCHED_TEST_SERVICES';

/** What can be asked for; each is a path of the keeper's HTTP server. */
export interface Requests {
  start: { id: string };
  halt: { id: string; kill: boolean };
  resume: { id: string };
  discard: { id: string };
  outcomes: Record<string, never>;
  end: Record<string, never>;
}

export interface Results {
  start: Outcome;
  halt: null;
  resume: null;
  discard: null;
  outcomes: Outcome[];
  end: null;
}

/** Asks the keeper that listens on a socket for something. */
export function ask<K extends keyof Requests>(
  socket: string,
  what: K,
  body: Requests[K],
  progress: (text: string) => void = () => {},
): Promise<Results[K]> {
  return new Promise((resolve, reject) => {
    // Without an agent, which would keep the connection for later calls, by when the keeper may have closed it.
    const options = { socketPath: socket, path: `/${what}`, method: 'POST', agent: false } as const;
    const call = request(options, (answer) => {
      const lines = createInterface({ input: answer });
      lines.on('line', (line) => {
        const part: { progress?: string; error?: string; result?: Results[K] } = JSON.parse(line);
        if (part.progress !== undefined) progress(part.progress);
        else if (part.error !== undefined) reject(new Error(part.error));
        else resolve(part.result as Results[K]);
      });
      lines.once('close', () => reject(new Error('The keeper of the servers is gone.')));
    });
    call.once('error', ({ message }) =>
      reject(new Error(`The keeper of the servers does not answer: ${message}`)),
    );
    call.end(JSON.stringify(body));
  });
}

/** A server that tests run on. */
export interface RunningService {
  /** `mariadb` */
  name: string;
  /** `MariaDB 10.11` */
  title: string;
  /** Where clients connect, credentials included; the first of several. */
  url: string;
  urls: string[];
  /** False for a server that was given by its URL: then the three functions throw. */
  restartable: boolean;
  /** Stops the server: as its operator would, or by SIGKILL. */
  stop(options?: { kill?: boolean }): Promise<void>;
  /** Starts it again, with its data, on the same port; resolves when it answers. */
  start(): Promise<void>;
  restart(options?: { kill?: boolean }): Promise<void>;
}

/** Which server of a kind. */
export interface Which {
  /** Not the one that all test files share: then stopping it disturbs nobody. */
  own?: boolean;
}

/**
 * Gives a server, started if need be; throws if it cannot be had. One of its own lives until the
 * test run ends.
 */
export async function service(name: string, which: Which = {}): Promise<RunningService> {
  const id = idOf(name, which);
  const outcome = await outcomeOf(id);
  if ('missing' in outcome) throw new Error(`${outcome.title} is missing: ${outcome.missing}`);
  return runningService(id, outcome);
}

/**
 * Registers tests that need servers: a `describe` whose body gets them, in the order of their names.
 * Await it at the top of the test file.
 *
 * Where one of them cannot be had, the body is not run: a single test stands for it, which fails
 * when `CI` is set and is otherwise reported as not run for want of that server. For want of an
 * optional server, nothing is registered at all.
 */
export async function describeOn<const Names extends string | readonly string[]>(
  names: Names,
  title: string,
  body: (...servers: ServersOf<Names>) => void,
  which: Which = {},
): Promise<void> {
  const wanted: readonly string[] = typeof names === 'string' ? [names] : names;
  const ids = wanted.map((name) => idOf(name, which));
  const run = (servers: RunningService[]) => body(...(servers as ServersOf<Names>));
  await register(ids, title, run, await Promise.all(ids.map(outcomeOf)));
}

/** The same tests on each of several servers, for packages that work with all of them. */
export async function describeOnEach(
  names: readonly string[],
  title: string,
  body: (server: RunningService) => void,
  which: Which = {},
): Promise<void> {
  const ids = names.map((name) => idOf(name, which));
  const outcomes = await Promise.all(ids.map(outcomeOf));
  for (const [index, outcome] of outcomes.entries()) {
    const run = (servers: RunningService[]) => {
      for (const server of servers) body(server);
    };
    await register(ids.slice(index, index + 1), title, run, [outcome]);
  }
}

async function register(
  ids: string[],
  title: string,
  body: (servers: RunningService[]) => void,
  outcomes: Outcome[],
): Promise<void> {
  const { afterAll, describe } = await import('vitest');
  const name = `${title} on ${outcomes.map((outcome) => outcome.title).join(' and ')}`;
  const missing = outcomes.filter((outcome) => 'missing' in outcome);
  if (missing.some(({ optional }) => optional)) return;
  if (missing.length === 0) {
    const servers = outcomes.flatMap((outcome, index) =>
      'missing' in outcome ? [] : [runningService(ids[index] ?? '', outcome)],
    );
    describe(name, () => {
      body(servers);
      afterAll(() => Promise.all(ids.filter(isOwn).map(discard)));
    });
    return;
  }
  const why = missing.map((one) => `${one.title} is missing: ${one.missing}`).join('\n');
  await standIn(name, missing.map((one) => one.name).join(), why);
}

/**
 * Registers the test that stands for those that cannot run for want of a service: it fails when
 * `CI` is set, and is otherwise reported as not run.
 */
export async function standIn(title: string, missingService: string, why: string): Promise<void> {
  const { test } = await import('vitest');
  test(title, { meta: { missingService } }, ({ skip }) => {
    if (process.env.CI) throw new Error(why);
    skip(why);
  });
}

type ServersOf<Names> = Names extends readonly string[]
  ? { [K in keyof Names]: RunningService }
  : [RunningService];

function idOf(name: string, { own = false }: Which): string {
  return own ? `${name}@${crypto.randomUUID().slice(0, 8)}` : name;
}

const isOwn = (id: string) => id.includes('@');

async function outcomeOf(id: string): Promise<Outcome> {
  const socket = process.env[controlVariable];
  if (socket) return ask(socket, 'start', { id });
  const [name = ''] = id.split('@');
  const url = process.env[variableOf(name)];
  if (url) return { name, title: name, urls: url.split(','), about: '', restartable: false };
  const missing = `neither ${variableOf(name)} nor ${controlVariable} is set`;
  return { name, title: name, missing, optional: false };
}

async function discard(id: string): Promise<void> {
  const socket = process.env[controlVariable];
  if (socket) await ask(socket, 'discard', { id });
}

function runningService(
  id: string,
  { name, title, urls, restartable }: Exclude<Outcome, { missing: string }>,
): RunningService {
  const control = () => {
    const socket = process.env[controlVariable];
    if (!restartable || !socket) throw new Error(`${title} is not ours to stop.`);
    return socket;
  };
  const stop = async ({ kill = false } = {}) => {
    await ask(control(), 'halt', { id, kill });
  };
  const start = async () => {
    await ask(control(), 'resume', { id });
  };
  return {
    name,
    title,
    url: urls[0] ?? '',
    urls,
    restartable,
    stop,
    start,
    async restart(options) {
      await stop(options);
      await start();
    },
  };
}
