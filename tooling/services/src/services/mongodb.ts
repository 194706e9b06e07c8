import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Service } from '../contract.ts';
import { mongodbAnswers, mongodbCommand } from '../probes.ts';
import { serverProcess } from '../processes.ts';
import { find } from '../programs.ts';

const replicaSet = 'sched';
const mongodbUrl = (port: number) => `mongodb://127.0.0.1:${port}/?replicaSet=${replicaSet}`;

/** MongoDB itself, as a replica set of one. No package has it, so it is no loss where it is not. */
export const mongodb: Service = {
  name: 'mongodb',
  title: 'MongoDB',
  optional: true,
  async create(site) {
    const found = await find('mongod', '4.4');
    if (found === undefined) throw new Error('no mongod on this machine');
    const { path, version, source } = found;
    const port = await site.freePort();
    const data = join(site.folder, 'data');
    mkdirSync(data);
    const server = serverProcess({
      command: path,
      args: [
        ...['--dbpath', data, '--bind_ip', '127.0.0.1', '--port', String(port)],
        ...['--replSet', replicaSet, '--unixSocketPrefix', site.folder],
      ],
      cwd: site.folder,
      port,
      logFile: join(site.folder, 'mongodb.log'),
      ready: () => primaryAnswers(port),
    });
    return { urls: [mongodbUrl(port)], version, source, ...server };
  },
  compose: {
    ports: ['MONGODB_PORT'],
    urls: (ports) => ports.map(mongodbUrl),
    ready: async ([port = 0]) => primaryAnswers(port),
  },
};

/** Makes the server a replica set when it is not yet, and resolves when it takes writes. */
async function primaryAnswers(port: number): Promise<void> {
  try {
    await mongodbAnswers(port);
  } catch (error) {
    const members = [{ _id: 0, host: `127.0.0.1:${port}` }];
    // Refused when it is one already, and on its way.
    await mongodbCommand(port, { replSetInitiate: { _id: replicaSet, members } }).catch(() => {});
    throw error;
  }
}
