import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { Server, Service, Site } from '../src/contract.ts';
import { isFree } from '../src/ports.ts';
import { exchange } from '../src/probes.ts';
import { serverProcess } from '../src/processes.ts';
import { type Compose, createSupervisor } from '../src/supervisor.ts';
import { isAlive, scratchFolder } from './scratch.ts';

/** A server that greets and writes down its process id, in a process of its own. */
const program = `
const [port, folder] = process.argv.slice(1);
require('node:fs').appendFileSync(folder + '/pids', process.pid + ' ');
console.log('about to listen');
require('node:net').createServer((socket) => socket.end('hello')).listen(Number(port), '127.0.0.1');
`;

function greeter(site: Site, port: number, text = program): Server {
  const server = serverProcess({
    command: process.execPath,
    args: ['--eval', text, String(port), site.folder],
    port,
    logFile: join(site.folder, 'greeter.log'),
    ready: async () => {
      await exchange(port, '', (answer) => answer.includes('hello'));
    },
  });
  return { urls: [`greet://127.0.0.1:${port}`], version: '1.0', source: 'made here', ...server };
}

function service(name: string, more: Partial<Service> = {}): Service {
  return {
    name,
    title: `The ${name}`,
    create: async (site) => greeter(site, await site.freePort()),
    ...more,
  };
}

const unavailable = (name: string, more: Partial<Service> = {}) =>
  service(name, { create: () => Promise.reject(new Error(`no ${name} here`)), ...more });

const noCompose: Compose = {
  available: async () => false,
  server: () => Promise.reject(new Error('no engine')),
  end: async () => {},
};

function supervise(
  services: Service[],
  { env = {}, compose = noCompose }: { env?: NodeJS.ProcessEnv; compose?: Compose } = {},
) {
  const folder = scratchFolder();
  const supervisor = createSupervisor({ services, folder, env, compose });
  onTestFinished(() => supervisor.end());
  const pids = () =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('pids'))
      .flatMap((path) => readFileSync(join(folder, path), 'utf8').trim().split(' ').map(Number));
  return { ...supervisor, folder, pids };
}

const portOf = (url = '') => Number(new URL(url).port);
const composed = { ports: [], urls: () => [], ready: async () => {} };

test('a URL in the environment comes first', async () => {
  const create = vi.fn();
  const { start } = supervise([service('redis-cluster', { create })], {
    env: { SCHED_TEST_REDIS_CLUSTER_URL: 'redis://a,redis://b' },
  });
  expect(await start('redis-cluster')).toMatchObject({
    urls: ['redis://a', 'redis://b'],
    about: 'given by SCHED_TEST_REDIS_CLUSTER_URL',
    restartable: false,
  });
  expect(create).not.toHaveBeenCalled();
});

test('an empty one is none', async () => {
  const { start } = supervise([service('a')], { env: { SCHED_TEST_A_URL: '' } });
  expect(await start('a')).toMatchObject({ restartable: true });
});

test('then comes this machine, and the compose file only if that has none', async () => {
  const asked: string[] = [];
  const compose: Compose = {
    available: async () => true,
    server: async ({ name }, instance) => {
      asked.push(`${name} ${instance}`);
      const nothing = async () => {};
      return { urls: ['c://1'], version: '2', source: 'composed', start: nothing, stop: nothing };
    },
    end: async () => {},
  };
  const services = [service('a', { compose: composed }), unavailable('b', { compose: composed })];
  const { start } = supervise(services, { compose });
  expect(await start('a')).toMatchObject({ about: expect.stringContaining('1.0, made here') });
  expect(await start('b')).toMatchObject({
    urls: ['c://1'],
    about: expect.stringMatching(/^2, composed/),
  });
  expect(asked).toEqual(['b ']);
});

test('what cannot be had is told with every reason', async () => {
  const compose: Compose = {
    ...noCompose,
    available: async () => true,
    server: () => Promise.reject(new Error('no image')),
  };
  const services = [
    unavailable('a', { compose: composed }),
    unavailable('b'),
    unavailable('c', { optional: true }),
  ];
  const { start, outcomes } = supervise(services, { compose });
  expect(await start('a')).toMatchObject({ missing: 'no a here; no image', optional: false });
  expect(await start('b')).toMatchObject({ missing: 'no b here' });
  expect(await start('c')).toMatchObject({ missing: 'no c here', optional: true });
  expect((await outcomes()).map(({ name }) => name)).toEqual(['a', 'b', 'c']);
});

test('an unknown name is refused with the known ones', async () => {
  const { start } = supervise([service('a'), service('b', { internal: true })]);
  await expect(start('z')).rejects.toThrow('There is no service z; there are a.');
});

test('a server is started once, however often it is asked for', async () => {
  const { start, pids } = supervise([service('a')]);
  const [first, second] = await Promise.all([start('a'), start('a')]);
  expect(second).toEqual(first);
  expect(await start('a')).toEqual(first);
  expect(pids()).toHaveLength(1);
});

test('it stops and starts again on the same port', async () => {
  const { start, halt, resume, pids } = supervise([service('a')]);
  const outcome = await start('a');
  const port = portOf('urls' in outcome ? outcome.urls[0] : '');
  for (const how of ['polite', 'kill'] as const) {
    await halt('a', how);
    expect(await isFree(port)).toBe(true);
    await resume('a');
    await exchange(port, '', (answer) => answer.includes('hello'));
  }
  expect(pids().map(isAlive)).toEqual([false, false, true]);
});

test('only a server of ours can be stopped', async () => {
  const { start, halt } = supervise([service('a'), unavailable('b')], {
    env: { SCHED_TEST_A_URL: 'x://y' },
  });
  await Promise.all([start('a'), start('b')]);
  await expect(halt('a', 'polite')).rejects.toThrow('a is not a server of this run');
  await expect(halt('b', 'polite')).rejects.toThrow('b is not a server of this run');
});

const front = (name: string, behind: string) =>
  service(name, {
    create: async (site) => {
      const server = greeter(site, await site.freePort());
      return { ...server, source: `before ${await site.need(behind)}` };
    },
  });

test('what a service stands on is started for it', async () => {
  const { start, outcomes } = supervise([service('a'), front('b', 'a')]);
  const b = await start('b');
  const [, a] = await outcomes();
  expect(b).toMatchObject({ about: expect.stringContaining('before greet://127.0.0.1:') });
  expect(a).toMatchObject({ name: 'a' });
});

test('what it stands on is missing: so is it, for that reason', async () => {
  const { start } = supervise([unavailable('a'), front('b', 'a')]);
  expect(await start('b')).toMatchObject({ missing: 'it needs a: no a here' });
});

test('one of its own is another, as is what it stands on, and goes alone', async () => {
  const { start, outcomes, discard, pids } = supervise([service('a'), front('b', 'a')]);
  await start('b');
  const shared = pids();
  await start('b@own');
  const own = pids().filter((pid) => !shared.includes(pid));
  expect(own).toHaveLength(2);
  expect(await outcomes()).toHaveLength(2);
  await discard('b@own');
  expect(own.map(isAlive)).toEqual([false, false]);
  expect(shared.map(isAlive)).toEqual([true, true]);
  await expect(discard('b')).rejects.toThrow('b is shared');
});

test('a server that ends at once is reported with its log, and tried no more', async () => {
  const failing = `${program}\nconsole.error('no space left'); process.exit(3);`;
  const create = vi.fn(async (site: Site) => greeter(site, await site.freePort(), failing));
  const { start, pids } = supervise([service('a', { create })]);
  const outcome = await start('a');
  expect(outcome).toMatchObject({ missing: expect.stringMatching(/^It did not start: .*3\./) });
  expect(outcome).toMatchObject({
    missing: expect.stringContaining('about to listen\nno space left'),
  });
  expect(create).toHaveBeenCalledOnce();
  expect(pids().map(isAlive)).toEqual([false]);
});

test('a port that somebody else took is exchanged for another', async () => {
  const other = createServer((socket) => socket.end('hello'));
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void other.close());
  const address = other.address();
  const taken = typeof address === 'object' && address !== null ? address.port : 0;
  let attempts = 0;
  const create = async (site: Site) =>
    greeter(site, attempts++ === 0 ? taken : await site.freePort());
  const { start } = supervise([service('a', { create })]);
  const outcome = await start('a');
  expect(attempts).toBe(2);
  expect(outcome).toMatchObject({ urls: [expect.not.stringContaining(String(taken))] });
});

test('the end leaves no process and no folder, not even of what was just starting', async () => {
  const deaf = program.replace(/^require.*createServer.*$/m, 'setTimeout(() => {}, 1e6);');
  const create = async (site: Site) => greeter(site, await site.freePort(), deaf);
  const services = [service('a'), service('never', { create })];
  const { start, end, folder, pids } = supervise(services);
  await start('a');
  const starting = start('never');
  await vi.waitUntil(() => pids().length === 2);
  const all = pids();
  await end();
  expect(all.map(isAlive)).toEqual([false, false]);
  expect(existsSync(folder)).toBe(false);
  expect(await starting).toMatchObject({ missing: expect.stringContaining('It did not start') });
});
