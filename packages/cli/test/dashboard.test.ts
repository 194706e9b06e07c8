import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { database, folder, type Result } from './support.js';

interface Served {
  /** What was written: where the page is, with the token. */
  readonly url: URL;
  /** Ends the command, as Ctrl-C does. */
  end(): Promise<Result>;
}

/** Starts the command, and gives where the page is as soon as it says so. */
async function serve(
  { run }: Awaited<ReturnType<typeof database>>,
  args: readonly string[] = [],
  setting: { env?: Record<string, string>; tty?: boolean } = {},
): Promise<Served> {
  const interruption = new AbortController();
  let result: Promise<Result> | undefined;
  const url = await new Promise<URL>((resolve, reject) => {
    const onOutput = (text: string) => {
      const [found] = /http:\S+(?=\n)/.exec(text) ?? [];
      if (found) resolve(new URL(found));
    };
    result = run(['dashboard', ...args], {
      ...setting,
      interruption: interruption.signal,
      onOutput,
    });
    result.then(({ stderr }) => reject(new Error(stderr)), reject);
  });
  return {
    url,
    async end() {
      interruption.abort();
      return (await result) as Result;
    },
  };
}

/** Comes with the token; gives what a browser would send from then on. */
async function enter(url: URL): Promise<{ cookie: string }> {
  const answer = await fetch(url, { redirect: 'manual' });
  expect(answer.status).toBe(303);
  expect(answer.headers.get('location')).toBe('./');
  const [cookie = '', ...attributes] = (answer.headers.get('set-cookie') ?? '').split('; ');
  expect(attributes).toEqual(['Path=/', 'HttpOnly', 'SameSite=Lax']);
  expect(cookie).not.toContain(url.searchParams.get('token'));
  return { cookie };
}

test('serves the page and its API to those who have the address', async () => {
  const place = await database();
  await place.json('add', 'x', '@daily', '--id', 'a');
  const { url, end } = await serve(place);
  expect(url.hostname).toBe('127.0.0.1');
  const headers = await enter(url);
  const page = await fetch(new URL('/', url), { headers });
  expect(await page.text()).toContain('<title>Scheduled tasks</title>');
  const tasks = await fetch(new URL('/api/tasks', url), { headers });
  expect(await tasks.json()).toMatchObject({ tasks: [{ id: 'a' }] });
  const pause = await fetch(new URL('/api/tasks/a/pause', url), {
    ...{ method: 'POST', headers: { ...headers, origin: url.origin } },
  });
  expect(pause.status).toBe(200);
  expect(await place.json('show', 'a')).toMatchObject({ isPaused: true });
  const { code, stderr } = await end();
  expect(code).toBe(0);
  expect(stderr).toMatch(/^\S+: pauseTask a: ok\n$/);
  await expect(fetch(url)).rejects.toThrow('fetch failed');
});

test('lets nobody else in', async () => {
  const { url, end } = await serve(await database());
  const { cookie } = await enter(url);
  const status = async (path: string, headers: Record<string, string> = {}) =>
    (await fetch(new URL(path, url), { headers, redirect: 'manual' })).status;
  expect(await status('/')).toBe(401);
  expect(await status('/api/tasks')).toBe(401);
  expect(await status('/?token=wrong')).toBe(401);
  expect(await status('/?token=')).toBe(401);
  expect(await status('/api/tasks', { cookie: `${cookie}x` })).toBe(401);
  expect(await status('/api/tasks', { cookie: cookie.replace(/=.*/, '=') })).toBe(401);
  // The token is for the page alone: an address of the API with it could be made to be followed.
  expect(await status(`/api/tasks${url.search}`)).toBe(401);
  // By another name, which somebody made to lead to this machine.
  const foreign = await new Promise<number | undefined>((resolve, reject) => {
    request(new URL('/api/tasks', url), { headers: { cookie, host: 'evil.example' } })
      .on('response', (answer) => resolve(answer.resume().statusCode))
      .on('error', reject)
      .end();
  });
  expect(foreign).toBe(401);
  expect(await status('/api/tasks', { cookie: `other=1; ${cookie}` })).toBe(200);
  await end();
});

test('a page of another site changes nothing, and neither does one that may only look', async () => {
  const place = await database();
  await place.json('add', 'x', '@daily', '--id', 'a');
  const { url, end } = await serve(place, ['--may', 'read']);
  const { cookie } = await enter(url);
  const pause = async (origin: string) => {
    const headers = { cookie, origin };
    const answer = await fetch(new URL('/api/tasks/a/pause', url), { method: 'POST', headers });
    return [answer.status, ((await answer.json()) as { detail: string }).detail];
  };
  expect(await pause(url.origin)).toEqual([403, expect.stringContaining('right to operate')]);
  await end();

  const other = await serve(place);
  const headers = { ...(await enter(other.url)), origin: 'http://127.0.0.1:1' };
  const answer = await fetch(new URL('/api/tasks/a/pause', other.url), { method: 'POST', headers });
  expect(answer.status).toBe(403);
  await other.end();
  expect(await place.json('show', 'a')).toMatchObject({ isPaused: false });
});

test('opens a browser on a terminal, by a file that only this user can read', async () => {
  const bin = folder();
  const log = join(bin, 'log');
  for (const name of ['xdg-open', 'open']) {
    writeFileSync(
      join(bin, name),
      `#!/bin/sh\nprintf '%s' "$1" > '${log}.new' && mv '${log}.new' '${log}'\n`,
    );
    chmodSync(join(bin, name), 0o755);
  }
  const env = { PATH: `${bin}:${process.env.PATH}` };
  const place = await database();
  const { url, end } = await serve(place, [], { env, tty: true });
  await vi.waitFor(() => expect(existsSync(log)).toBe(true), { timeout: 60_000 });
  const argument = readFileSync(log, 'utf8');
  expect(argument).toMatch(/^file:/);
  const file = fileURLToPath(argument);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, 'utf8')).toContain(`url=${url.href}"`);
  await end();
  expect(existsSync(file)).toBe(false);

  writeFileSync(log, 'untouched');
  await (await serve(place, [], { env })).end();
  await (await serve(place, ['--no-open'], { env, tty: true })).end();
  expect(readFileSync(log, 'utf8')).toBe('untouched');
});

test('works where there is nothing to open it with', async () => {
  const { end } = await serve(await database(), [], { env: { PATH: folder() }, tty: true });
  expect((await end()).code).toBe(0);
});

test('says what is wrong with a port', async () => {
  const place = await database();
  const { url, end } = await serve(place, ['--port', '0']);
  const taken = await place.run(['dashboard', '--port', url.port]);
  expect(taken).toMatchObject({ code: 1, stderr: expect.stringContaining('else listens') });
  await end();
  expect(await place.run(['dashboard', '--port', '70000'])).toMatchObject({ code: 2 });
  expect(await place.run(['dashboard', '--may', 'all'])).toMatchObject({ code: 2 });
});

test('says where it is as JSON', async () => {
  const place = await database();
  const interruption = new AbortController();
  const { stdout } = await place.run(['--json', 'dashboard'], {
    interruption: interruption.signal,
    onOutput: () => interruption.abort(),
  });
  expect(JSON.parse(stdout)).toEqual({ url: expect.stringMatching(/^http:.*\?token=\S{32}$/) });
});
