import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { own, reachable, unprivileged } from '../accounts.ts';
import type { Program, Service, Site } from '../contract.ts';
import { findOrUnpack } from '../debian.ts';
import { postgresAnswers } from '../probes.ts';
import { type Account, run, type ServerProcess, serverProcess } from '../processes.ts';
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
    const program = await reachable(
      site,
      account,
      await findOrUnpack(site, {
        program: 'postgres',
        minimum: '13.0',
        packages: ['postgresql'],
        folders: ['/usr/lib/postgresql/*/bin'],
      }),
    );
    const { version, source } = program;
    const data = join(site.folder, 'data');
    await makeCluster(site, program, { data, account, auth: 'scram-sha-256' });
    const port = await site.freePort();
    const server = postgresServer(site, program, { data, port, account });
    return { urls: [postgresUrl(port)], version, source, ...server };
  },
  compose: {
    ports: ['POSTGRES_PORT'],
    urls: (ports) => ports.map(postgresUrl),
    ready: async ([port = 0]) => postgresAnswers(port, postgresUser),
  },
};

/** Makes a database cluster, with `initdb` from beside the server. */
export async function makeCluster(
  site: Site,
  { path, version, env = {} }: Program,
  { data, account, auth }: { data: string; account: Account | undefined; auth: string },
): Promise<void> {
  mkdirSync(data, { mode: 0o700 });
  const passwordFile = join(site.folder, 'password');
  writeFileSync(passwordFile, postgresUser);
  own(account, site.folder, data, passwordFile);
  await run(
    join(dirname(path), 'initdb'),
    [
      ...['--pgdata', data, '--username', postgresUser, '--pwfile', passwordFile],
      ...['--auth', auth, '--encoding', 'UTF8', '--no-locale', '--no-sync'],
      // Text sorts as in a language, not by bytes, as on most servers out there.
      ...(isAtLeast(version, '15.0') ? ['--locale-provider', 'icu', '--icu-locale', 'en-US'] : []),
    ],
    { env, account, cwd: site.folder },
  );
}

interface ClusterOptions {
  data: string;
  port: number;
  account: Account | undefined;
  settings?: Record<string, string>;
}

/** A server on a cluster. */
export function postgresServer(
  site: Site,
  { path, env = {} }: Program,
  { data, port, account, settings = {} }: ClusterOptions,
): ServerProcess {
  const all: Record<string, string | number> = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    max_connections: 300,
    // In files of the cluster, which go with it, however the server ends.
    dynamic_shared_memory_type: 'mmap',
    // Tests count the pages that statements touch; benchmarks go without what that costs.
    ...(site.durable
      ? { fsync: 'on' }
      : { fsync: 'off', shared_preload_libraries: 'pg_stat_statements' }),
    ...settings,
  };
  return serverProcess({
    command: path,
    args: ['-D', data, ...Object.entries(all).flatMap(([k, v]) => ['-c', `${k}=${v}`])],
    env,
    account,
    cwd: site.folder,
    port,
    logFile: join(site.folder, 'postgres.log'),
    ready: () => postgresAnswers(port, postgresUser),
    // Fast and immediate shutdown; an immediate one still gives the shared memory back.
    signals: { polite: 'SIGINT', end: 'SIGQUIT' },
  });
}
