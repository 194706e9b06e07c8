import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { own, reachable, unprivileged } from '../accounts.ts';
import type { Service } from '../contract.ts';
import { findOrUnpack } from '../debian.ts';
import { postgresAnswers } from '../probes.ts';
import { run, serverProcess } from '../processes.ts';
import { isAtLeast } from '../programs.ts';

/** The superuser of the test server, and its password. */
export const postgresUser = 'sched';

export const postgresUrl = (port: number) =>
  `postgres://${postgresUser}:${postgresUser}@127.0.0.1:${port}/postgres`;

export const postgres: Service = {
  name: 'postgres',
  title: 'PostgreSQL 15',
  async create(site) {
    const account = await unprivileged();
    const {
      path,
      version,
      source,
      env = {},
    } = await reachable(
      site,
      account,
      await findOrUnpack(site, {
        program: 'postgres',
        minimum: '13.0',
        packages: ['postgresql'],
        folders: ['/usr/lib/postgresql/*/bin'],
      }),
    );
    const port = await site.freePort();
    const data = join(site.folder, 'data');

    site.progress('making a database cluster');
    mkdirSync(data, { mode: 0o700 });
    const passwordFile = join(site.folder, 'password');
    writeFileSync(passwordFile, postgresUser);
    own(account, site.folder, data, passwordFile);
    await run(
      join(dirname(path), 'initdb'),
      [
        ...['--pgdata', data, '--username', postgresUser, '--pwfile', passwordFile],
        ...['--auth', 'scram-sha-256', '--encoding', 'UTF8', '--no-locale', '--no-sync'],
        // Text sorts as in a language, not by bytes, as on most servers out there.
        ...(isAtLeast(version, '15.0')
          ? ['--locale-provider', 'icu', '--icu-locale', 'en-US']
          : []),
      ],
      { env, account, cwd: site.folder },
    );

    const settings = {
      listen_addresses: '127.0.0.1',
      port,
      unix_socket_directories: '',
      max_connections: 300,
      fsync: site.durable ? 'on' : 'off',
    };
    const server = serverProcess({
      command: path,
      args: ['-D', data, ...Object.entries(settings).flatMap(([k, v]) => ['-c', `${k}=${v}`])],
      env,
      account,
      cwd: site.folder,
      logFile: join(site.folder, 'postgres.log'),
      ready: () => postgresAnswers(port, postgresUser),
      // Fast and immediate shutdown; an immediate one still gives the shared memory back.
      signals: { polite: 'SIGINT', end: 'SIGQUIT' },
    });
    return { urls: [postgresUrl(port)], version, source, ...server };
  },
  compose: {
    ports: ['POSTGRES_PORT'],
    urls: (ports) => ports.map(postgresUrl),
    ready: async ([port = 0]) => postgresAnswers(port, postgresUser),
  },
};
