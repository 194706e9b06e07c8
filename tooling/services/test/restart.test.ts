import { describeOn, type RunningService } from '@sched-tooling/services';
import { expect, test } from 'vitest';
import { exchange } from '../src/probes.ts';

/** What a Redis answers to a command, once logged in. */
async function ask({ url }: RunningService, command: string): Promise<string | undefined> {
  const { port, password } = new URL(url);
  const done = (answer: Buffer) => answer.includes('+PONG');
  const request = `AUTH ${password}\r\n${command}\r\nPING\r\n`;
  const lines = (await exchange(Number(port), request, done)).toString().split('\r\n');
  return lines.at(-3);
}

await describeOn(
  'redis',
  'a server',
  (redis) => {
    test.for([{ kill: false }, { kill: true }])(
      'is there again after a restart, on the same port with its data: %o',
      async (how) => {
        const value = `value-${how.kill}`;
        expect(await ask(redis, `SET key ${value}`)).toBe('+OK');
        await redis.restart(how);
        expect(await ask(redis, 'GET key')).toBe(value);
      },
    );

    test('does not answer while it is stopped', async () => {
      await redis.stop();
      await expect(ask(redis, 'GET key')).rejects.toThrow('ECONNREFUSED');
      await redis.start();
      expect(await ask(redis, 'SET key again')).toBe('+OK');
    });
  },
  { own: true },
);
