import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { own, reachable, unprivileged } from '../accounts.ts';
import type { Service } from '../contract.ts';
import { findOrUnpack } from '../debian.ts';
import { postgresAnswers } from '../probes.ts';
import { serverProcess } from '../processes.ts';
import { postgresUrl, postgresUser } from './postgres.ts';

/** PgBouncer in transaction mode, before the PostgreSQL of this run. */
export const pgbouncer: Service = {
  name: 'pgbouncer',
  title: 'PgBouncer in transaction mode',
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
        program: 'pgbouncer',
        minimum: '1.12',
        packages: ['pgbouncer'],
      }),
    );
    const behind = new URL(await site.need('postgres'));
    const port = await site.freePort();
    const settings = join(site.folder, 'pgbouncer.ini');
    const users = join(site.folder, 'users.txt');
    const database = behind.pathname.slice(1);
    writeFileSync(
      settings,
      [
        '[databases]',
        `${database} = host=${behind.hostname} port=${behind.port || 5432} dbname=${database}`,
        '[pgbouncer]',
        'listen_addr = 127.0.0.1',
        `listen_port = ${port}`,
        'unix_socket_dir =',
        'auth_type = scram-sha-256',
        `auth_file = ${users}`,
        `admin_users = ${postgresUser}`,
        'pool_mode = transaction',
        'default_pool_size = 20',
        'max_client_conn = 500',
        '',
      ].join('\n'),
    );
    const { username, password } = behind;
    const quoted = [username, password].map((text) => `"${decodeURIComponent(text)}"`).join(' ');
    writeFileSync(users, `${quoted}\n`, { mode: 0o600 });
    own(account, site.folder, settings, users);

    const server = serverProcess({
      command: path,
      args: [settings],
      env,
      account,
      cwd: site.folder,
      port,
      logFile: join(site.folder, 'pgbouncer.log'),
      ready: () => postgresAnswers(port, decodeURIComponent(username), database),
      signals: { polite: 'SIGINT' },
    });
    const url = new URL(behind);
    url.hostname = '127.0.0.1';
    url.port = String(port);
    return { urls: [url.href], version, source, ...server };
  },
  compose: {
    ports: ['PGBOUNCER_PORT'],
    urls: (ports) => ports.map(postgresUrl),
    ready: async ([port = 0]) => postgresAnswers(port, postgresUser),
  },
};
