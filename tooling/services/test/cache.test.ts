import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { alone, cached } from '../src/cache.ts';
import { cacheFolder } from '../src/folders.ts';
import { run } from '../src/processes.ts';
import { scratchFolder } from './scratch.ts';

beforeEach(() => {
  vi.stubEnv('XDG_CACHE_HOME', scratchFolder());
  onTestFinished(() => void vi.unstubAllEnvs());
});

const made = async (folder: string) => writeFileSync(join(folder, 'file'), 'made');

test('a folder is made once, however many want it', async () => {
  const make = vi.fn(made);
  const folders = await Promise.all([cached('thing-1', make), cached('thing-1', make)]);
  expect(folders).toEqual([join(cacheFolder(), 'thing-1'), join(cacheFolder(), 'thing-1')]);
  await cached('thing-1', make);
  expect(make).toHaveBeenCalledOnce();
});

test('one that failed is made anew, from the beginning', async () => {
  const failing = async (folder: string) => {
    writeFileSync(join(folder, 'half'), '');
    throw new Error('interrupted');
  };
  await expect(cached('thing', failing)).rejects.toThrow('interrupted');
  expect(existsSync(join(cacheFolder(), 'thing'))).toBe(false);
  expect(readdirSync(await cached('thing', made))).toEqual(['file']);
});

test('other processes wait for their turn, and a dead one gives it up', async () => {
  const folder = scratchFolder();
  const order = join(folder, 'order');
  const script = (then: string) => `
    import { appendFileSync } from 'node:fs';
    import { alone } from ${JSON.stringify(new URL('../src/cache.ts', import.meta.url).href)};
    await alone('name', async () => {
      appendFileSync(${JSON.stringify(order)}, 'in ');
      ${then}
    });`;
  const start = (then: string) =>
    run(process.execPath, ['--input-type=module-typescript', '--eval', script(then)], {
      env: { XDG_CACHE_HOME: process.env.XDG_CACHE_HOME ?? '' },
    });
  let killed: Promise<string> | undefined;
  await alone('name', async () => {
    killed = start('process.kill(process.pid, "SIGKILL");');
    killed.catch(() => {});
    await alone('another', async () => writeFileSync(order, 'first '));
  });
  await expect(killed).rejects.toThrow('SIGKILL');
  await start('');
  expect(readFileSync(order, 'utf8')).toBe('first in in ');
});
