import { createDashboard } from '@sched/dashboard';
import { describe, expect, test, vi } from 'vitest';
import { assets, document } from '#page';
import { addressesIn, origin, serve, setting, sweep } from './support.js';

describe('the page', () => {
  test('is served at the base path, with all that it names, and its API below', async () => {
    const { get, scheduler } = setting();
    await scheduler.schedule(sweep, { id: 'a/b', every: '1h' });
    const page = await get('/sched/');
    expect([page.status, page.headers.get('content-type')]).toEqual([
      200,
      'text/html; charset=utf-8',
    ]);
    const addresses = addressesIn(await page.text()).filter((each) => !each.startsWith('data:'));
    expect(addresses).toHaveLength(2);
    for (const address of addresses) {
      const asset = await get(new URL(address, `${origin}/sched/`).pathname);
      expect(asset.status).toBe(200);
      expect((await asset.text()).length).toBeGreaterThan(50);
    }
    const tasks = await get('/sched/api/tasks');
    expect(await tasks.json()).toMatchObject({ tasks: [{ id: 'a/b', name: 'sweep' }] });
  });

  test.for(['', '/', '/sched', '/a/b.c/~d/', '/sched/'])(
    'works below the base path %j, and behind a proxy that cuts it off',
    async (basePath) => {
      const { get } = setting({ basePath });
      const base = `${basePath.replace(/\/$/, '')}/`;
      const html = await (await get(base)).text();
      // Nothing in it says where it is: not its own path, and no other host.
      for (const address of addressesIn(html)) expect(address).toMatch(/^(?:assets\/|data:)/);
      for (const outside of [base, '/elsewhere/and/deeper/']) {
        for (const address of addressesIn(html).filter((each) => !each.startsWith('data:'))) {
          const { pathname } = new URL(address, `${origin}${outside}`);
          expect((await get(base + pathname.slice(outside.length))).status).toBe(200);
        }
      }
      expect((await get(`${base}api/me`)).status).toBe(200);
    },
  );

  test('leads from its path without a slash to the one with it, wherever a proxy has put it', async () => {
    const { get } = setting({ basePath: '/ops/sched' });
    const response = await get('/ops/sched');
    const location = response.headers.get('location') ?? '';
    expect([response.status, location]).toEqual([308, 'sched/']);
    expect(new URL(location, 'https://outside.test/ops/sched').pathname).toBe('/ops/sched/');
  });

  test('names no address outside, and runs and styles nothing of its own', async () => {
    const html = await (await setting().get('/sched/')).text();
    expect(html).not.toMatch(/https?:\/\/(?!www\.w3\.org\/2000\/svg')/);
    expect(html).not.toMatch(/<style|style=|<script>|\son\w+=/);
  });

  test('and all its files forbid whatever does not come from there', async () => {
    const { get } = setting();
    const paths = ['/sched/', '/sched', '/sched/nowhere', `/sched/assets/${assets[0]?.name}`];
    for (const path of paths) {
      const { headers } = await get(path);
      expect(headers.get('content-security-policy')).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
      );
      expect(Object.fromEntries(headers)).toMatchObject({
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
      });
    }
  });

  test('takes at most 80 kB, compressed', () => {
    const bytes = [document, ...assets].map(({ gzip }) => atob(gzip).length);
    expect(bytes.reduce((sum, each) => sum + each)).toBeLessThan(80_000);
  });
});

describe('its files', () => {
  const asset = `/sched/assets/${assets[0]?.name}`;

  test('are kept for ever, but for the page, which names them', async () => {
    const { get } = setting();
    expect((await get(asset)).headers.get('cache-control')).toBe(
      'public, max-age=31536000, immutable',
    );
    expect((await get('/sched/')).headers.get('cache-control')).toBe('no-cache');
  });

  test.for(['/sched/', asset])('are not sent again to who has them: %s', async (path) => {
    const { get } = setting();
    const etag = (await get(path)).headers.get('etag') ?? '';
    expect(etag).toMatch(/^W\/"[0-9a-f]{16}"$/);
    for (const known of [etag, etag.slice(2), `"other", ${etag}`, '*']) {
      const response = await get(path, { 'if-none-match': known });
      expect([response.status, await response.text()]).toEqual([304, '']);
      expect(response.headers.get('etag')).toBe(etag);
    }
    expect((await get(path, { 'if-none-match': '"other"' })).status).toBe(200);
  });

  test('are sent compressed to who can unpack them, and as they are to others', async () => {
    const { get } = setting();
    const text = await (await get(asset)).text();
    for (const accepted of ['gzip', 'br, gzip;q=0.5', '*', 'deflate, GZIP']) {
      const response = await get(asset, { 'accept-encoding': accepted });
      expect(response.headers.get('content-encoding')).toBe('gzip');
      const body = response.body?.pipeThrough(new DecompressionStream('gzip'));
      expect(await new Response(body).text()).toBe(text);
    }
    for (const accepted of ['br', 'identity', 'gzip;q=0', 'gzip;q=0, *']) {
      const response = await get(asset, { 'accept-encoding': accepted });
      expect(response.headers.get('content-encoding')).toBeNull();
      expect(response.headers.get('vary')).toBe('accept-encoding');
      expect(await response.text()).toBe(text);
    }
  });

  test('are there for HEAD as for GET, and for nothing else', async () => {
    const { get } = setting();
    for (const path of ['/sched/', asset]) {
      const length = (await (await get(path)).arrayBuffer()).byteLength;
      const head = await get(path, {}, 'HEAD');
      expect([head.status, await head.text()]).toEqual([200, '']);
      expect(head.headers.get('content-length')).toBe(String(length));
      for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
        const response = await get(path, {}, method);
        expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
      }
    }
  });

  test.for([
    '/',
    '/sched/assets/',
    '/sched/assets/app.js',
    '/sched/assets/__proto__',
    '/sched/assets/constructor',
    '/sched/assets/../package.json',
    '/sched/assets/..%2f..%2fpackage.json',
    '/sched/assets/%2e%2e/%2e%2e/etc/passwd',
    '/sched/assets/..\\..\\package.json',
    '/sched/assets/%00',
    `/sched//assets/${assets[0]?.name}`,
    `/sched/assets/${assets[0]?.name}/`,
    `/assets/${assets[0]?.name}`,
    '/schedule/',
    '/sched/index.html',
    '/sched/api',
    '//evil.test/sched/',
    '/sched/<script>alert(1)</script>',
  ])('are the only ones: there is nothing at %s', async (path) => {
    const { get } = setting();
    const response = await get(path);
    expect([response.status, await response.text()]).toEqual([404, 'There is no such page.\n']);
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  });
});

describe('authorize', () => {
  test('decides about the data; the page, which has none, is for everybody', async () => {
    const { get } = setting({ authorize: () => null });
    expect((await get('/sched/')).status).toBe(200);
    expect((await get(`/sched/assets/${assets[0]?.name}`)).status).toBe(200);
    for (const path of ['me', 'tasks', 'health', 'audit', 'events', 'openapi.json']) {
      const response = await get(`/sched/api/${path}`);
      expect([path, response.status]).toEqual([path, 401]);
    }
  });

  test('may send a visitor to a login instead of showing the page', async () => {
    const { get } = setting({
      authorize: ({ headers }) =>
        headers.get('cookie') === 'session=1'
          ? { who: 'ada', may: 'read' }
          : new Response(null, { status: 302, headers: { location: '/login' } }),
    });
    const response = await get('/sched/');
    expect([response.status, response.headers.get('location')]).toEqual([302, '/login']);
    expect((await get('/sched/', { cookie: 'session=1' })).status).toBe(200);
  });

  test('that throws tells the log, and nobody else', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {});
    const { get } = setting({ authorize: () => Promise.reject(new Error('hunter2')) });
    expect((await get('/sched/')).status).toBe(200);
    const response = await get('/sched/api/me');
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('hunter2');
    expect(log).toHaveBeenCalledTimes(1);
    log.mockRestore();
  });
});

test('it is mounted in node:http like the API', async () => {
  const { dashboard, scheduler } = setting();
  await scheduler.schedule(sweep, { id: 'a', every: '1h' });
  const address = await serve(dashboard);
  const page = await fetch(`${address}/sched`);
  expect([page.status, page.url]).toEqual([200, `${address}/sched/`]);
  const tasks = (await (await fetch(`${address}/sched/api/tasks`)).json()) as { tasks: object[] };
  expect(tasks.tasks).toMatchObject([{ id: 'a' }]);
  const paused = await fetch(`${address}/sched/api/tasks/a/pause`, {
    method: 'POST',
    headers: { origin: address },
  });
  expect(await paused.json()).toEqual({ changed: true });
  expect((await scheduler.get('a'))?.isPaused).toBe(true);
});

test('options that cannot work are refused by name', () => {
  for (const [options, message] of [
    [undefined, /one of scheduler and store/],
    [{}, /one of scheduler and store/],
    [{ store: {}, basePath: 'sched' }, /basePath/],
    [{ store: {}, athorize: 1 }, /Did you mean authorize/],
  ] as const) {
    expect(() => createDashboard(options as never)).toThrow(message);
  }
});
