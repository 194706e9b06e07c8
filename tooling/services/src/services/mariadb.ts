import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Service } from '../contract.ts';
import { findOrUnpack } from '../debian.ts';
import { mysqlAnswers } from '../probes.ts';
import { run, serverProcess } from '../processes.ts';
import { which } from '../programs.ts';

/** What a server runs at each start: makes the account of the tests. */
export const accountFile = fileURLToPath(new URL('../../account.sql', import.meta.url));

export const mysqlUrl = (port: number) => `mysql://sched:sched@127.0.0.1:${port}/sched`;

export const mariadb: Service = {
  name: 'mariadb',
  title: 'MariaDB 10.11',
  async create(site) {
    const {
      path,
      version,
      source,
      folder,
      env = {},
    } = await findOrUnpack(site, {
      program: 'mariadbd',
      minimum: '10.6',
      packages: ['mariadb-server-core', 'mariadb-client-core'],
    });
    const base = folder === undefined ? dirname(dirname(path)) : join(folder, 'usr');
    const installer = which('mariadb-install-db', [join(base, 'bin'), join(base, 'scripts')]);
    if (installer === undefined) throw new Error(`${path} has no mariadb-install-db beside it`);
    const asRoot = process.getuid?.() === 0 ? ['--user=root'] : [];
    const port = await site.freePort();
    const data = join(site.folder, 'data');
    const temporary = join(site.folder, 'temporary');
    mkdirSync(temporary);
    await run(
      installer,
      [
        ...['--no-defaults', `--basedir=${base}`, `--datadir=${data}`, `--tmpdir=${temporary}`],
        ...['--auth-root-authentication-method=normal', '--skip-test-db', ...asRoot],
      ],
      { env },
    );
    const server = serverProcess({
      command: path,
      args: [
        ...['--no-defaults', `--basedir=${base}`, `--datadir=${data}`, `--tmpdir=${temporary}`],
        ...[...asRoot, `--port=${port}`, '--bind-address=127.0.0.1', '--skip-name-resolve'],
        ...[`--socket=${join(site.folder, 'mariadb.sock')}`, `--init-file=${accountFile}`],
        `--innodb-flush-log-at-trx-commit=${site.durable ? 1 : 2}`,
        // Tests count the rows that are read; benchmarks go without what that costs.
        ...(site.durable ? [] : ['--userstat=ON']),
      ],
      env,
      port,
      logFile: join(site.folder, 'mariadb.log'),
      ready: () => mysqlAnswers(port),
    });
    return { urls: [mysqlUrl(port)], version, source, ...server };
  },
  compose: {
    ports: ['MARIADB_PORT'],
    urls: (ports) => ports.map(mysqlUrl),
    ready: ([port = 0]) => mysqlAnswers(port),
  },
};
