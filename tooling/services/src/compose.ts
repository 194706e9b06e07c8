// The services of compose.yaml, for machines that have a Docker engine but not the servers.

import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './ports.ts';
import { run, untilReady } from './processes.ts';
import { which } from './programs.ts';
import type { Compose } from './supervisor.ts';

const file = fileURLToPath(new URL('../compose.yaml', import.meta.url));
const never = new Promise<string>(() => {});

/** Runs services of the compose file as a project of its own, on free ports. */
export function dockerCompose(runFolder: string): Compose {
  const project = basename(runFolder).toLowerCase();
  const ports: Record<string, string> = {};
  let answer: Promise<boolean> | undefined;
  let used = false;

  const docker = (...args: string[]) =>
    run('docker', ['compose', '--file', file, '--project-name', project, ...args], { env: ports });

  return {
    available() {
      answer ??=
        which('docker') === undefined || !existsSync(file)
          ? Promise.resolve(false)
          : run('docker', ['info'], { timeoutMs: 10_000 }).then(
              () => true,
              () => false,
            );
      return answer;
    },
    async server({ name, compose }) {
      if (compose === undefined) throw new Error(`${name} is not in the compose file.`);
      for (const variable of compose.ports) ports[variable] ??= String(await freePort());
      const mine = compose.ports.map((variable) => Number(ports[variable]));
      return {
        urls: compose.urls(mine),
        version: (await docker('config', '--images', name)).trim().split('\n').join(', '),
        source: 'from the compose file',
        async start() {
          used = true;
          await docker('up', '--detach', name);
          await untilReady(() => compose.ready(mine), never, 180_000);
        },
        async stop(how) {
          if (how !== 'end') await docker(how === 'kill' ? 'kill' : 'stop', name);
        },
      };
    },
    async end() {
      if (used) await docker('down', '--volumes', '--timeout', '1');
    },
  };
}
