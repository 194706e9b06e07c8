import { globSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { own, reachable, unprivileged } from '../accounts.ts';
import { cached } from '../cache.ts';
import type { Program, Service, Site } from '../contract.ts';
import { type Account, run } from '../processes.ts';
import { versionOf } from '../programs.ts';
import { fromSid } from '../sid.ts';
import { makeCluster, postgresServer, postgresUrl } from './postgres.ts';

const settings = {
  shared_preload_libraries: 'pg_cron,pg_documentdb_core,pg_documentdb',
  'cron.database_name': 'postgres',
};

/** PostgreSQL with the extension that FerretDB keeps its documents in. */
export const documentdb: Service = {
  name: 'documentdb',
  title: 'PostgreSQL 18 with documentdb',
  internal: true,
  async create(site) {
    const account = await unprivileged();
    const program = await reachable(site, account, await fetchProgram(site));
    const { version, source } = program;
    const template = await clusterWithExtension(site, program, account);
    const data = join(site.folder, 'data');
    await run('cp', ['--archive', join(template, 'data'), data]);
    own(account, site.folder);
    const port = await site.freePort();
    const server = postgresServer(site, program, { data, port, account, settings });
    return { urls: [postgresUrl(port)], version, source, ...server };
  },
};

async function fetchProgram(site: Site): Promise<Program> {
  const bin = 'usr/lib/postgresql/*/bin';
  const folder = await fromSid(site, {
    name: 'documentdb',
    packages: ['postgresql-18-documentdb'],
    programs: [`${bin}/initdb`, `${bin}/postgres`, `${bin}/psql`],
  });
  const [relative] = globSync(`${bin}/postgres`, { cwd: folder });
  if (relative === undefined) throw new Error(`${folder} has no PostgreSQL`);
  const path = join(folder, relative);
  return { path, folder, version: await versionOf(path), source: 'unpacked from Debian sid' };
}

/** A cluster in which the extension is there already: to make it takes longer than all the rest. */
function clusterWithExtension(
  site: Site,
  program: Program,
  account: Account | undefined,
): Promise<string> {
  return cached(`documentdb-${program.version}-data`, async (folder) => {
    // Where the server's account gets at it.
    const data = join(site.folder, 'template');
    // The extension connects to its own server, for which it knows no password.
    await makeCluster(site, program, { data, account, auth: 'trust' });
    const port = await site.freePort();
    const server = postgresServer(site, program, { data, port, account, settings });
    await server.start();
    try {
      const psql = join(dirname(program.path), 'psql');
      await run(psql, [postgresUrl(port), '--command', 'CREATE EXTENSION documentdb CASCADE']);
    } finally {
      await server.stop('polite');
    }
    await run('cp', ['--archive', data, join(folder, 'data')]);
  });
}
