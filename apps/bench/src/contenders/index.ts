import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Contender } from '../contender.ts';
import type { Entry } from '../stage.ts';

const peersFolder = new URL('../../peers/', import.meta.url);

/** Ours and the bare loop. */
export function ownEntries(): Promise<readonly Entry[]> {
  return load([new URL('./sched.ts', import.meta.url), new URL('./bare-loop.ts', import.meta.url)]);
}

/** Those that we compare ourselves with; installed if they are not there. */
export async function peerEntries(say: (text: string) => void): Promise<readonly Entry[]> {
  if (!existsSync(new URL('node_modules', peersFolder))) {
    say('installing the peers');
    const args = ['install', '--frozen-lockfile', '--prefer-offline'];
    await promisify(execFile)('pnpm', args, { cwd: fileURLToPath(peersFolder) });
  }
  const files = readdirSync(peersFolder).filter((name) => name.endsWith('.js'));
  return load(files.sort().map((name) => new URL(name, peersFolder)));
}

async function load(modules: readonly URL[]): Promise<readonly Entry[]> {
  const manifest = readFileSync(new URL('package.json', peersFolder), 'utf8');
  const { dependencies }: { dependencies: Record<string, string> } = JSON.parse(manifest);
  const loaded = modules.map(async ({ href }) => {
    const { contenders }: { contenders: readonly Contender[] } = await import(href);
    return contenders.map((contender) => {
      const version = dependencies[contender.package ?? ''];
      return { contender, module: href, ...(version !== undefined && { version }) };
    });
  });
  return (await Promise.all(loaded)).flat();
}
