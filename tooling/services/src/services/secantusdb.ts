import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from '../cache.ts';
import type { Service, Site } from '../contract.ts';
import { mongodbAnswers, mongodbCommand } from '../probes.ts';
import { run, serverProcess } from '../processes.ts';
import { find } from '../programs.ts';

const version = '0.7.0b3';
const user = 'sched';

/** Speaks MongoDB's protocol as a replica set of one: change streams, transactions. */
export const secantusdb: Service = {
  name: 'secantusdb',
  title: 'SecantusDB 0.7',
  async create(site) {
    const python = join(await virtualEnvironment(site), 'bin', 'python');
    const port = await site.freePort();
    // Named, because it would otherwise look for one in the user's home.
    const settings = join(site.folder, 'secantusd.toml');
    writeFileSync(settings, '');
    const args = [
      // Not by the script that pip wrote, which remembers the folder it was written to.
      ...['-c', 'import sys, secantus.cli; sys.exit(secantus.cli.main())'],
      ...['--config', settings, '--host', '127.0.0.1', '--port', String(port)],
      // Without the last, it keeps writes to itself and loses them when it is killed.
      ...['--storage-path', join(site.quickFolder, 'data'), '--sync-on-commit'],
    ];
    const common = {
      command: python,
      cwd: site.folder,
      port,
      logFile: join(site.folder, 'secantusdb.log'),
      ready: () => mongodbAnswers(port),
    };
    // It lets nobody in who has no password, once there is somebody who has one.
    const open = serverProcess({ ...common, args });
    await open.start();
    await mongodbCommand(port, { createUser: user, pwd: user, roles: ['root'] });
    await open.stop('polite');

    const server = serverProcess({ ...common, args: [...args, '--auth'] });
    const url = `mongodb://${user}:${user}@127.0.0.1:${port}/`;
    return { urls: [url], version, source: 'installed by pip', ...server };
  },
};

function virtualEnvironment(site: Site): Promise<string> {
  return cached(`secantusdb-${version}`, async (folder) => {
    const python = await find('python3', '3.10');
    if (python === undefined) throw new Error('no Python 3.10 or later on this machine');
    site.progress('installing it with pip');
    await run(python.path, ['-m', 'venv', folder]);
    await run(join(folder, 'bin', 'python'), ['-m', 'pip', 'install', `SecantusDB==${version}`]);
  });
}
