import type { Service, Site } from '../contract.ts';
import { findOrUnpack } from '../debian.ts';
import { redisAnswers } from '../probes.ts';
import { serverProcess } from '../processes.ts';

export const password = 'sched';

export const redisUrl = (port: number) => `redis://:${password}@127.0.0.1:${port}/0`;

/** Redis' programs: found here, or out of Debian's packages. */
export function redisPrograms(site: Site, minimum = '6.2') {
  return findOrUnpack(site, {
    program: 'redis-server',
    minimum,
    packages: ['redis-server'],
  });
}

/** The settings that all Redis servers here have: they persist, so that a restart loses nothing. */
export function redisArguments(site: Site, folder: string, port: number): string[] {
  return [
    ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder],
    ...['--requirepass', password, '--masterauth', password],
    ...['--save', '', '--appendonly', 'yes'],
    ...['--appendfsync', site.durable ? 'everysec' : 'no'],
    ...['--daemonize', 'no', '--maxmemory-policy', 'noeviction'],
  ];
}

export const redis: Service = {
  name: 'redis',
  title: 'Redis 7.0',
  async create(site) {
    const { path, version, source, env = {} } = await redisPrograms(site);
    const port = await site.freePort();
    const server = serverProcess({
      command: path,
      args: redisArguments(site, site.folder, port),
      env,
      port,
      logFile: `${site.folder}/redis.log`,
      ready: () => redisAnswers(port, password),
      signals: { polite: 'SIGTERM' },
    });
    return { urls: [redisUrl(port)], version, source, ...server };
  },
  compose: {
    ports: ['REDIS_PORT'],
    urls: (ports) => ports.map(redisUrl),
    ready: async ([port = 0]) => redisAnswers(port, password),
  },
};
