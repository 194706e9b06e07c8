import { existsSync, mkdirSync, utimesSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { controlSocket, memorySuffix, sweep } from '../src/folders.ts';
import { scratchFolder } from './scratch.ts';

/** A folder as a run leaves it, a while ago. */
function leftBehind(parent: string, name: string): string {
  const folder = join(parent, name);
  mkdirSync(folder);
  utimesSync(folder, 0, 0);
  return folder;
}

test('what a killed run left behind is removed, and nothing else', async () => {
  const [parent, memory] = [scratchFolder(), scratchFolder()];
  const suffix = memorySuffix(parent);
  const [deadMemory, aliveMemory, foreignMemory] = [
    ...[`sched-services-a${suffix}`, `sched-services-b${suffix}`],
    // That of a run whose folder is elsewhere.
    `sched-services-a${memorySuffix('/elsewhere')}`,
  ].map((name) => leftBehind(memory, name)) as [string, string, string];
  const [dead, alive, foreign] = ['sched-services-a', 'sched-services-b', 'something-else'].map(
    (name) => leftBehind(parent, name),
  ) as [string, string, string];
  const young = join(parent, 'sched-services-c');
  mkdirSync(young);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(controlSocket(alive), resolve));
  onTestFinished(() => void server.close());
  utimesSync(alive, 0, 0);

  await sweep(parent, memory);
  expect([dead, deadMemory].filter((folder) => existsSync(folder))).toEqual([]);
  const kept = [alive, aliveMemory, foreign, foreignMemory, young];
  expect(kept.filter((folder) => existsSync(folder))).toEqual(kept);
});
