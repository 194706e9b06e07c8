import { describeOnEach } from '@sched-tooling/services';
import { expect, test } from 'vitest';
import { isFree } from '../src/ports.ts';
import { services } from '../src/services/index.ts';

const names = services.filter(({ internal }) => !internal).map(({ name }) => name);

await describeOnEach(
  names,
  'a server',
  ({ urls, stop, start, restartable }) => {
    const ports = urls.map((url) => Number(new URL(url).port));

    test.for([{ kill: false }, { kill: true }])('stops and starts again: %o', async (how) => {
      // One that was given by its URL is not ours to stop.
      if (!restartable) return expect(stop(how)).rejects.toThrow('not ours');
      await stop(how);
      expect(await Promise.all(ports.map(isFree))).toEqual(ports.map(() => true));
      await start();
      expect(await Promise.all(ports.map(isFree))).toEqual(ports.map(() => false));
    });
  },
  { own: true },
);
