import { createApi } from '@sched/http';
import { MemoryDataStore } from '@sched/memory';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { RateLimit } from '../src/rate.js';
import { routes } from '../src/routes/index.js';
import { base, byToken, caller, setting, work } from './support.js';

describe('authorize', () => {
  /** A body that each operation takes, so that only the right is in question. */
  const bodies: Record<string, object> = {
    createTask: { task: 'work', in: '1h' },
    updateTask: { queue: 'q' },
    previewTask: { every: '1h' },
    previewTrigger: { every: '1h' },
    changeTasks: { action: 'pause', ids: ['a'] },
  };

  test.for(routes)('$operation takes the right to $may, and no less', async (route) => {
    const { api, scheduler } = setting({ options: { authorize: byToken } });
    await scheduler.schedule(work, { id: 'a', payload: null, in: '1h' });
    const statusFor = async (may: string) => {
      const { method, operation } = route;
      const body = bodies[operation];
      const response = await api(
        new Request(`${base}${route.path.replace('{id}', 'a')}`, {
          method,
          headers: { authorization: `Bearer ${may}`, 'content-type': 'application/json' },
          ...(body && { body: JSON.stringify(body) }),
        }),
      );
      await response.body?.cancel();
      return response.status;
    };
    const order = ['read', 'operate', 'admin'];
    for (const may of order) {
      const status = await statusFor(may);
      if (order.indexOf(may) < order.indexOf(route.may)) expect([may, status]).toEqual([may, 403]);
      else expect([may, status]).not.toEqual([may, 403]);
      expect(status).toBeLessThan(500);
    }
    expect(await statusFor('nothing')).toBe(401);
  });

  test('to remove many takes more than to pause many', async () => {
    const { call } = setting({ options: { authorize: () => ({ who: 'o', may: 'operate' }) } });
    for (const dryRun of [true, false]) {
      expect(await call('POST', '/bulk', { action: 'remove', ids: ['a'], dryRun })).toMatchObject({
        status: 403,
        body: { code: 'SCHED_FORBIDDEN' },
      });
    }
  });

  test('may answer by itself, as to ask for a password', async () => {
    const ask = () =>
      new Response('Who?', { status: 401, headers: { 'www-authenticate': 'Basic' } });
    const { api } = setting({ options: { authorize: ask } });
    const response = await api(new Request(`${base}/me`));
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, 'Basic']);
  });

  test('without an answer, with a wrong one, or that throws, lets nobody in and tells nothing', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {});
    const secret = 'postgres://ada:hunter2@db/tasks';
    for (const [authorize, status] of [
      [() => null, 401],
      [() => undefined, 401],
      [() => ({ who: '', may: 'admin' }), 500],
      [() => ({ who: 'ada', may: 'everything' }), 500],
      [() => ({ who: 'ada' }), 500],
      [() => Promise.reject(new Error(secret)), 500],
    ] as const) {
      const { call } = setting({ options: { authorize: authorize as never } });
      const { status: actual, body } = await call('GET', '/tasks');
      expect(actual).toBe(status);
      expect(body.code).toBe(status === 401 ? 'SCHED_UNAUTHENTICATED' : 'SCHED_INTERNAL');
      expect(JSON.stringify(body)).not.toContain('hunter2');
    }
    expect(log).toHaveBeenCalledTimes(4);
    log.mockRestore();
  });
});

describe('without authorize', () => {
  const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  afterEach(() => {
    warnings.mockClear();
    vi.unstubAllEnvs();
  });
  const make = () => createApi({ store: new MemoryDataStore(), audit: () => {} });
  const ask = async (url: string, remoteAddress: string | undefined, headers = {}) => {
    const api = make();
    const { status } = await api(new Request(url, { headers }), { remoteAddress });
    await api.close();
    return status;
  };

  test('whoever sits at this machine is served in development, with a warning', async () => {
    vi.stubEnv('NODE_ENV', 'development');
    for (const [host, address] of [
      ['localhost:3000', '127.0.0.1'],
      ['127.0.0.1', '::ffff:127.0.0.1'],
      ['[::1]:3000', '::1'],
      ['sched.localhost', '127.0.0.2'],
    ]) {
      expect(await ask(`http://${host}/me`, address)).toBe(200);
    }
    expect(warnings).toHaveBeenCalledWith(
      expect.stringContaining('no authorize'),
      expect.anything(),
    );
  });

  test('nobody else is: not from another machine, by another name, or through a proxy', async () => {
    vi.stubEnv('NODE_ENV', 'development');
    expect(await ask('http://localhost/me', '192.0.2.7')).toBe(401);
    expect(await ask('http://localhost/me', undefined)).toBe(401);
    expect(await ask('http://evil.example/me', '127.0.0.1')).toBe(401);
    expect(await ask('http://127.0.0.1.evil.example/me', '127.0.0.1')).toBe(401);
    for (const name of ['x-forwarded-for', 'forwarded', 'via', 'x-real-ip']) {
      expect(await ask('http://localhost/me', '127.0.0.1', { [name]: '192.0.2.7' })).toBe(401);
    }
  });

  test('nobody at all is served in production, with a warning', async () => {
    vi.stubEnv('NODE_ENV', 'production');
    expect(await ask('http://localhost/me', '127.0.0.1')).toBe(401);
    expect(await ask('http://localhost/openapi.json', '127.0.0.1')).toBe(401);
    expect(await ask('http://localhost/nowhere', '127.0.0.1')).toBe(401);
    expect(warnings).toHaveBeenCalledWith(expect.stringContaining('nobody'), expect.anything());
  });
});

describe('a change', () => {
  const at = async (headers: Record<string, string>, origins: string[] = []) => {
    const { api, scheduler } = setting({ options: { origins } });
    await scheduler.schedule(work, { id: 'a', payload: null, in: '1h' });
    const response = await api(new Request(`${base}/tasks/a/pause`, { method: 'POST', headers }));
    const { isPaused } = (await scheduler.get('a')) ?? {};
    expect(isPaused).toBe(response.status === 200);
    return response.status;
  };

  test.for<[what: string, headers: Record<string, string>, status: number]>([
    ['a page of the API itself', { 'sec-fetch-site': 'same-origin' }, 200],
    ['a page of its origin, in an old browser', { origin: 'http://tasks.test' }, 200],
    ['its origin, before a proxy that ends TLS', { origin: 'https://tasks.test' }, 200],
    ['a page of another site', { 'sec-fetch-site': 'cross-site' }, 403],
    ['a page of a neighbour', { 'sec-fetch-site': 'same-site' }, 403],
    ['an address bar', { 'sec-fetch-site': 'none' }, 403],
    ['another origin', { origin: 'http://evil.test' }, 403],
    ['another port', { origin: 'http://tasks.test:81' }, 403],
    ['a sandboxed frame', { origin: 'null' }, 403],
    ['another origin with a token', { origin: 'http://evil.test', authorization: 'Bearer x' }, 403],
    ['another origin with our header', { origin: 'http://evil.test', 'sched-request': '1' }, 403],
    ['a program with a token', { authorization: 'Bearer x' }, 200],
    ['a program with our header', { 'sched-request': '' }, 200],
    [
      'a program with a password, which a browser sends unasked',
      { authorization: 'Basic eA==' },
      403,
    ],
    ['a program with nothing', {}, 403],
  ])('from %s', async ([, headers, status]) => {
    expect(await at(headers)).toBe(status);
  });

  test('comes from other origins that are named', async () => {
    const headers = { origin: 'https://ops.test', 'sec-fetch-site': 'cross-site' };
    expect(await at(headers, ['https://ops.test'])).toBe(200);
    expect(await at({ ...headers, origin: 'https://ops.test.evil' }, ['https://ops.test'])).toBe(
      403,
    );
  });

  test('is one of so many a minute for each caller, and reading is not', async () => {
    const { api } = setting({
      options: { limits: { changesPerMinute: 3 }, authorize: byToken },
    });
    const call = caller(api);
    const token = (may: string) => ({ authorization: `Bearer ${may}` });
    const pause = (may: string) => call('POST', '/tasks/a/pause', undefined, token(may));
    for (let n = 0; n < 3; n++) expect((await pause('admin')).status).toBe(404);
    const refused = await pause('admin');
    expect(refused).toMatchObject({ status: 429, body: { code: 'SCHED_RATE_LIMITED' } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await pause('operate')).status).toBe(404);
    expect((await call('GET', '/tasks', undefined, token('admin'))).status).toBe(200);
    const ask = call('POST', '/preview', { every: '1h' }, token('admin'));
    expect((await ask).status).toBe(200);
  });
});

test('the bucket of a caller fills up again, evenly, and not beyond', () => {
  let now = 0;
  const rate = new RateLimit(60, () => now);
  const takes = (who: string) => {
    try {
      rate.take(who);
      return true;
    } catch {
      return false;
    }
  };
  const takesInARow = () => {
    let count = 0;
    while (takes('ada')) count++;
    return count;
  };
  expect(takesInARow()).toBe(60);
  now += 999;
  expect(takes('ada')).toBe(false);
  now += 1;
  expect([takes('ada'), takes('ada')]).toEqual([true, false]);
  now += 3_600_000;
  expect(takesInARow()).toBe(60);
});

test('callers that come and go take no room for ever', () => {
  const rate = new RateLimit(1, () => 0);
  rate.take('first');
  for (let n = 0; n < 10_000; n++) rate.take(`caller ${n}`);
  expect(() => rate.take('first')).not.toThrow();
  expect(() => rate.take('caller 9999')).toThrow('a minute');
});

test('options that cannot work are refused by name', () => {
  const store = new MemoryDataStore();
  for (const [options, message] of [
    [{}, /one of scheduler and store/],
    [{ store, athorize: 1 }, /Did you mean authorize/],
    [{ store, authorize: 'me' }, /authorize must be a function/],
    [{ store, basePath: 'sched' }, /basePath/],
    [{ store, basePath: '/a/../b?c' }, /basePath/],
    [{ store, origins: ['ops.test'] }, /origins/],
    [{ store, origins: ['https://ops.test/'] }, /origins/],
    [{ store, limits: { streams: 0 } }, /limits\.streams/],
    [{ store, limits: { steams: 1 } }, /Did you mean streams/],
  ] as const) {
    expect(() => createApi(options as never)).toThrow(
      expect.objectContaining({
        code: 'SCHED_ARGUMENT_INVALID',
        message: expect.stringMatching(message),
      }),
    );
  }
});
