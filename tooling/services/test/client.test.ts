import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describeOn, type RunningService } from '@sched-tooling/services';
import { describe, expect, test } from 'vitest';
import { controlVariable } from '../src/client.ts';
import { exchange } from '../src/probes.ts';
import { run } from '../src/processes.ts';
import { scratchFolder } from './scratch.ts';

/** What a Redis answers to a command, once logged in. */
async function ask({ url }: RunningService, command: string): Promise<string | undefined> {
  const { port, password } = new URL(url);
  const request = `AUTH ${password}\r\n${command}\r\nPING\r\n`;
  const answer = await exchange(Number(port), request, (text) => text.includes('+PONG'));
  return answer.toString().split('\r\n').at(-3);
}

await describeOn(
  'redis',
  'a server of its own',
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

await describeOn(['redis', 'redis'], 'a shared one', (first, second) => {
  test('is the same for all', () => expect(first.url).toBe(second.url));
});

describe('where nothing keeps servers', () => {
  const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
  const address = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);

  /** Runs a test file that needs servers of these names, with an environment of its own. */
  async function vitest(names: string[], env: Record<string, string>) {
    const folder = scratchFolder({
      'package.json': '{"type":"module"}',
      'vitest.config.js': `export { default } from ${address('../../vitest/preset.ts')};\n`,
      'test/x.test.ts': `
        import { describeOn, describeOnEach } from ${address('../src/client.ts')};
        test('something else', () => {});
        await describeOnEach(${JSON.stringify(names)}, 'adapter', ({ url }) => {
          test('gets ' + url, () => {});
        });`,
    });
    const outcome = await run(here('../node_modules/.bin/vitest'), ['run', '--globals'], {
      env: { [controlVariable]: '', CI: '', NO_COLOR: '1', ...env },
      cwd: folder,
    }).then(
      () => 'passed',
      () => 'failed',
    );
    const results = JSON.parse(readFileSync(`${folder}/.test-results/vitest.json`, 'utf8'));
    const [file] = results.testResults;
    return {
      outcome,
      tests: file.assertionResults.map(
        (one: { status: string; fullName: string }) => `${one.status} ${one.fullName}`,
      ),
    };
  }

  const url = { SCHED_TEST_MYSQL_URL: 'mysql://there' };
  const usual = 'passed something else';

  test('a server is used that is given by its URL', async () => {
    expect(await vitest(['mysql'], url)).toEqual({
      outcome: 'passed',
      tests: [usual, 'passed adapter on mysql gets mysql://there'],
    });
  });

  test('one that is missing excuses its tests, and no others', async () => {
    expect(await vitest(['mysql', 'mariadb'], url)).toEqual({
      outcome: 'passed',
      tests: [usual, 'passed adapter on mysql gets mysql://there', 'skipped adapter on mariadb'],
    });
  });

  test('nothing is excused in continuous integration', async () => {
    expect(await vitest(['mariadb'], { CI: 'true' })).toEqual({
      outcome: 'failed',
      tests: [usual, 'failed adapter on mariadb'],
    });
  });
});
