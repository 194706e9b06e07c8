// The services of compose.yaml, for machines that have a Docker engine but not the servers.

import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './ports.ts';
import { run, untilReady } from './processes.ts';
import { which } from './programs.ts';
import type { Compose } from './supervisor.ts';

const file = fileURLToPath(new URL('../compose.yaml', import.meta.url));

/** Runs services of the compose file on free ports, each instance of it as a project of its own. */
export function dockerCompose(runFolder: string): Compose {
  const projects = new Map<string, Record<string, string>>();
  let answer: Promise<boolean> | undefined;

  function docker(instance: string, ...args: string[]) {
    const project = [basename(runFolder), instance].join('-').toLowerCase();
    const base = ['compose', '--file', file, '--project-name', project];
    return run('docker', [...base, ...args], { env: projects.get(instance) ?? {} });
  }

  return {
    available() {
      answer ??= engineAnswers();
      return answer;
    },
    async server({ name, compose }, instance) {
      if (compose === undefined) throw new Error(`${name} is not in the compose file.`);
      const ports = projects.get(instance) ?? {};
      projects.set(instance, ports);
      for (const variable of compose.ports) ports[variable] ??= String(await freePort());
      const mine = compose.ports.map((variable) => Number(ports[variable]));
      return {
        urls: compose.urls(mine),
        version: (await docker(instance, 'config', '--images', name)).trim().split('\n').join(', '),
        source: 'from the compose file',
        async start() {
          await docker(instance, 'up', '--detach', name);
          await untilReady(
            () => compose.ready(mine),
            () => undefined,
            180_000,
          );
        },
        async stop(how) {
          if (how !== 'end') await docker(instance, how === 'kill' ? 'kill' : 'stop', name);
        },
      };
    },
    async end(instance) {
      for (const project of instance === undefined ? projects.keys() : [instance]) {
        if (projects.has(project)) await docker(project, 'down', '--volumes', '--timeout', '1');
        projects.delete(project);
      }
    },
  };
}

/** Whether there is a Docker engine here, and a client that understands compose files. */
async function engineAnswers(): Promise<boolean> {
  if (which('docker') === undefined) return false;
  try {
    await run('docker', ['compose', 'version'], { timeoutMs: 10_000 });
    await run('docker', ['info'], { timeoutMs: 10_000 });
    return true;
  } catch {
    return false;
  }
}
