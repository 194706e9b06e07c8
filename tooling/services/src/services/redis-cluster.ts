import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Service, StopMode } from '../contract.ts';
import { redisAnswers, redisClusterAnswers } from '../probes.ts';
import { run, type ServerProcess, serverProcess, untilReady } from '../processes.ts';
import { which } from '../programs.ts';
import { password, redisArguments, redisPrograms, redisUrl } from './redis.ts';

const masters = 3;

/** Three masters on one machine, without replicas; its URL lists all three. */
export const redisCluster: Service = {
  name: 'redis-cluster',
  title: 'Redis 7.0 Cluster',
  async create(site) {
    const { path, version, source, env = {} } = await redisPrograms(site, '7.0');
    const client = which('redis-cli', [dirname(path)]);
    if (client === undefined) throw new Error(`${path} has no redis-cli beside it`);
    const ports: number[] = [];
    const nodes: ServerProcess[] = [];
    for (let index = 0; index < masters; index++) {
      const [port, busPort] = [await site.freePort(), await site.freePort()];
      const folder = join(site.folder, String(index));
      mkdirSync(folder);
      ports.push(port);
      nodes.push(
        serverProcess({
          command: path,
          args: [
            ...redisArguments(site, folder, port),
            ...['--cluster-enabled', 'yes', '--cluster-port', String(busPort)],
            ...['--cluster-node-timeout', '5000', '--cluster-announce-ip', '127.0.0.1'],
          ],
          env,
          port,
          logFile: join(site.folder, `redis-${index}.log`),
          ready: () => redisAnswers(port, password),
        }),
      );
    }
    let joined = false;
    return {
      urls: ports.map(redisUrl),
      version,
      source: `${source}, ${masters} masters`,
      async start() {
        await Promise.all(nodes.map((node) => node.start()));
        if (!joined) {
          const addresses = ports.map((port) => `127.0.0.1:${port}`);
          const create = ['--cluster', 'create', ...addresses, '--cluster-yes'];
          await run(client, ['-a', password, '--no-auth-warning', ...create], { env });
          joined = true;
        }
        // Each one: they learn of each other by and by.
        const ready = async () => {
          await Promise.all(ports.map((port) => redisClusterAnswers(port, password, masters)));
        };
        await untilReady(ready, () => nodes.map((node) => node.ended()).find(Boolean), 60_000);
      },
      async stop(how: StopMode) {
        await Promise.all(nodes.map((node) => node.stop(how)));
      },
    };
  },
  compose: {
    ports: ['REDIS_CLUSTER_PORT_1', 'REDIS_CLUSTER_PORT_2', 'REDIS_CLUSTER_PORT_3'],
    urls: (ports) => ports.map(redisUrl),
    ready: async (ports) => {
      await Promise.all(ports.map((port) => redisClusterAnswers(port, password, masters)));
    },
  },
};
