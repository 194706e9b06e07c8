import { join } from 'node:path';
import { cached } from '../cache.ts';
import type { Service, Site } from '../contract.ts';
import { mongodbAnswers } from '../probes.ts';
import { run, serverProcess } from '../processes.ts';
import { find } from '../programs.ts';
import { postgresUser } from './postgres.ts';

const version = '2.7.0';
const ferretdbUrl = (port: number) =>
  `mongodb://${postgresUser}:${postgresUser}@127.0.0.1:${port}/`;

/** Speaks MongoDB's protocol, standalone: no change streams, no transactions. */
export const ferretdb: Service = {
  name: 'ferretdb',
  title: 'FerretDB 2.7',
  async create(site) {
    // At the same time: one compiles while the other downloads.
    const [folder, behind] = await Promise.all([compile(site), site.need('documentdb')]);
    const port = await site.freePort();
    const server = serverProcess({
      command: join(folder, 'ferretdb'),
      args: [
        ...[`--listen-addr=127.0.0.1:${port}`, `--postgresql-url=${behind}`],
        ...['--telemetry=disable', '--debug-addr=-', '--log-level=warn'],
        `--state-dir=${site.folder}`,
      ],
      cwd: site.folder,
      port,
      logFile: join(site.folder, 'ferretdb.log'),
      ready: () => mongodbAnswers(port),
    });
    return { urls: [ferretdbUrl(port)], version, source: 'compiled by Go', ...server };
  },
  compose: {
    ports: ['FERRETDB_PORT'],
    urls: (ports) => ports.map(ferretdbUrl),
    ready: async ([port = 0]) => mongodbAnswers(port),
  },
};

function compile(site: Site): Promise<string> {
  return cached(`ferretdb-${version}`, async (folder) => {
    const go = await find('go', '1.24', { versionArgs: ['version'] });
    if (go === undefined) throw new Error('no Go 1.24 or later on this machine');
    site.progress('compiling it with Go');
    await run(go.path, ['install', `github.com/FerretDB/FerretDB/v2/cmd/ferretdb@v${version}`], {
      env: { GOBIN: folder },
    });
  });
}
