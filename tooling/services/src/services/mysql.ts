import { cpSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cached } from '../cache.ts';
import type { Program, Service, Site } from '../contract.ts';
import { mysqlAnswers } from '../probes.ts';
import { run, serverProcess } from '../processes.ts';
import { find, versionOf } from '../programs.ts';
import { fromSid } from '../sid.ts';
import { accountFile, mysqlUrl } from './mariadb.ts';

export const mysql: Service = {
  name: 'mysql',
  title: 'MySQL 9.7',
  async create(site) {
    const { path, version, source } = await program(site);
    const asRoot = process.getuid?.() === 0 ? ['--user=root'] : [];
    const common = [
      ...['--no-defaults', `--basedir=${dirname(dirname(path))}`, ...asRoot],
      // Writes reach the system, and so outlive the server, but nothing waits for the disk.
      ...(site.durable ? [] : ['--innodb-flush-method=nosync', '--skip-log-bin']),
    ];
    // Made once, because it takes longer than all the rest.
    const template = await cached(`mysql-${version}-data`, async (folder) => {
      const data = join(folder, 'data');
      await run(path, [...common, '--initialize-insecure', `--datadir=${data}`]);
    });
    const data = join(site.folder, 'data');
    cpSync(join(template, 'data'), data, { recursive: true });
    const port = await site.freePort();
    const server = serverProcess({
      command: path,
      args: [
        ...[...common, `--datadir=${data}`, `--port=${port}`, '--bind-address=127.0.0.1'],
        ...['--mysqlx=OFF', '--secure-file-priv=', `--init-file=${accountFile}`],
        ...[`--socket=${join(site.folder, 'mysql.sock')}`, `--pid-file=${join(data, 'pid')}`],
      ],
      port,
      logFile: join(site.folder, 'mysql.log'),
      ready: () => mysqlAnswers(port),
    });
    return { urls: [mysqlUrl(port)], version, source, ...server };
  },
  compose: {
    ports: ['MYSQL_PORT'],
    urls: (ports) => ports.map(mysqlUrl),
    ready: ([port = 0]) => mysqlAnswers(port),
  },
};

async function program(site: Site): Promise<Program> {
  const found = await find('mysqld', '8.0', { notIf: /MariaDB/ });
  if (found !== undefined) return found;
  const root = await fromSid(site, {
    name: 'mysql',
    packages: ['mysql-server-core'],
    programs: ['usr/sbin/mysqld'],
  });
  const path = join(root, 'usr', 'sbin', 'mysqld');
  return { path, version: await versionOf(path), source: 'unpacked from Debian sid' };
}
