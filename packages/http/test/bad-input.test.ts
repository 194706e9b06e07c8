import { MemoryDataStore } from '@sched/memory';
import { describe, expect, test } from 'vitest';
import { withoutSecrets } from '../src/problem.js';
import { base, setting, sqliteStore, work } from './support.js';

const task = { task: 'work', id: 'a', in: '1h' };

test.for<[what: string, method: string, path: string, body: unknown, detail: RegExp]>([
  [
    'a member that there is not',
    'POST',
    '/tasks',
    { ...task, evry: 1 },
    /"evry".*Did you mean every/,
  ],
  ['one in a policy', 'POST', '/tasks', { ...task, retry: { limt: 1 } }, /retry/],
  ['a member of another call', 'PATCH', '/tasks/a', { onConflict: 'keep' }, /"onConflict"/],
  [
    'one that means something to JavaScript',
    'POST',
    '/tasks',
    '{"task":"work","__proto__":1}',
    /__proto__/,
  ],
  ['one in a timing', 'POST', '/preview', { every: { wekks: 1 } }, /every/],
  [
    'a query that there is not',
    'GET',
    '/tasks?stat=failed',
    undefined,
    /"stat".*Did you mean state/,
  ],
  ['such a query, once more', 'GET', '/tasks?__proto__=1', undefined, /__proto__/],
  ['a query twice', 'GET', '/tasks?state=failed&state=paused', undefined, /more than once/],
  ['a state that there is not', 'GET', '/tasks?state=lost', undefined, /state/],
  ['a limit of many', 'GET', '/tasks?limit=100000', undefined, /limit/],
  ['a limit of none', 'GET', '/tasks?limit=0', undefined, /limit/],
  ['a limit that is none', 'GET', '/tasks?limit=1e9', undefined, /limit/],
  ['a store that there is not', 'GET', '/tasks?store=other', undefined, /one of default/],
  ['a body that is a list', 'POST', '/tasks', [], /must be an object, not an array/],
  ['a body that is null', 'POST', '/tasks', null, /must be an object, not null/],
  ['no body', 'POST', '/tasks', undefined, /body/],
  ['a task that is a number', 'POST', '/tasks', { task: 5 }, /task/],
  [
    'ids and a filter',
    'POST',
    '/bulk',
    { action: 'pause', ids: ['a'], filter: {} },
    /one of ids and filter/,
  ],
  ['neither', 'POST', '/bulk', { action: 'pause' }, /one of ids and filter/],
  ['too many ids', 'POST', '/bulk', { action: 'pause', ids: Array(1001).fill('a') }, /ids/],
  ['an action that there is not', 'POST', '/bulk', { action: 'explode', ids: ['a'] }, /action/],
  [
    'states that contradict each other',
    'GET',
    '/tasks?state=paused&paused=false',
    undefined,
    /paused/,
  ],
])('%s is refused by name, and nothing is stored', async ([, method, path, body, detail]) => {
  const { call, scheduler, entries } = setting();
  expect(await call(method, path, body)).toMatchObject({
    status: 400,
    body: { code: 'SCHED_ARGUMENT_INVALID', status: 400, detail: expect.stringMatching(detail) },
  });
  expect(await scheduler.count()).toBe(0);
  expect(entries).toEqual([]);
});

test.for<[what: string, changes: object, code: string]>([
  ['a cron that is none', { cron: 'x' }, 'SCHED_CRON_SYNTAX'],
  ['a zone that is none', { cron: '* * * * *', timeZone: 'Mars' }, 'SCHED_TIME_ZONE_UNKNOWN'],
  ['two timings', { cron: '* * * * *', every: 5 }, 'SCHED_ARGUMENT_INVALID'],
  ['a moment without an offset', { at: '2030-01-01T00:00' }, 'SCHED_TIME_INVALID'],
  ['a duration of nothing', { every: 0 }, 'SCHED_DURATION_INVALID'],
  ['a duration of half a millisecond', { every: 0.5 }, 'SCHED_DURATION_INVALID'],
  ['a damaged trigger', { trigger: { kind: 'every' } }, 'SCHED_DURATION_INVALID'],
  ['a trigger of no kind', { trigger: { kind: 'tide' } }, 'SCHED_TRIGGER_UNKNOWN'],
  ['a negative limit', { retry: -1 }, 'SCHED_ARGUMENT_INVALID'],
  ['a queue of control characters', { queue: 'a\u0000b' }, 'SCHED_ARGUMENT_INVALID'],
])('%s is refused by core, in a new task and in an old one', async ([, changes, code]) => {
  const { call, scheduler } = setting();
  const { in: _in, ...rest } = task;
  expect(await call('POST', '/tasks', { ...rest, ...changes })).toMatchObject({
    status: 400,
    body: { code },
  });
  await call('POST', '/tasks', task);
  const before = await scheduler.get('a');
  expect(await call('PATCH', '/tasks/a', changes)).toMatchObject({ status: 400, body: { code } });
  expect(await scheduler.get('a')).toEqual(before);
});

test('a trigger within a trigger within a trigger ends somewhere', async () => {
  const { call } = setting({ store: new MemoryDataStore() });
  const { anyOf } = await import('@sched/core');
  const { createScheduler } = await import('@sched/core');
  const { createApi } = await import('@sched/http');
  const { caller } = await import('./support.js');
  const scheduler = createScheduler({ store: new MemoryDataStore(), triggers: [anyOf] });
  const api = createApi({
    scheduler,
    basePath: '/sched',
    authorize: () => ({ who: 'a', may: 'admin' }),
  });
  const depth = 50_000;
  const text = '{"trigger":'.concat(
    '{"kind":"anyOf","triggers":['.repeat(depth),
    '{"kind":"at","at":0}',
    ']}'.repeat(depth),
    '}',
  );
  expect(await caller(api)('POST', '/preview', text)).toMatchObject({
    status: 400,
    body: { code: 'SCHED_TRIGGER_INVALID' },
  });
  expect((await call('GET', '/count')).status).toBe(200);
});

describe('an id in a path', () => {
  const ids = [
    'a/b',
    '../tasks',
    'ä ö',
    '%2e%2e',
    'a?b#c',
    '💡',
    'count',
    'bulk',
    '__proto__',
    "'; DROP TABLE x",
  ];

  test.for(ids)('is one segment, whatever it holds: %s', async (id) => {
    const { call, scheduler } = setting({ store: sqliteStore() });
    await scheduler.schedule(work, { id, payload: null, in: '1h' });
    await scheduler.schedule(work, { id: 'a', payload: null, in: '1h' });
    const path = `/tasks/${encodeURIComponent(id)}`;
    expect((await call('GET', path)).body.id).toBe(id);
    expect((await call('POST', `${path}/pause`)).body).toEqual({ changed: true });
    expect(await scheduler.count({ paused: true })).toBe(1);
    expect((await call('DELETE', path)).body).toEqual({ removed: 1 });
    expect((await call('GET', '/tasks')).body.tasks).toMatchObject([{ id: 'a' }]);
  });

  test.for<[what: string, segment: string, code: string]>([
    ['NUL', '%00', 'SCHED_ID_INVALID'],
    ['a line break', 'a%0Ab', 'SCHED_ID_INVALID'],
    ['301 bytes', 'x'.repeat(301), 'SCHED_ID_INVALID'],
    ['300 bytes', 'x'.repeat(300), 'SCHED_TASK_NOT_FOUND'],
    ['half of an escape', '%', 'SCHED_REQUEST_INVALID'],
    ['bytes that are no UTF-8', '%ff%fe', 'SCHED_REQUEST_INVALID'],
    ['an overlong slash', '%c0%af', 'SCHED_REQUEST_INVALID'],
  ])('of %s is refused by every operation', async ([, segment, code]) => {
    const { call } = setting();
    for (const [method, path, body] of [
      ['GET', ''],
      ['PATCH', '', { queue: 'q' }],
      ['DELETE', ''],
      ['POST', '/run'],
      ['POST', '/preview', { every: '1h' }],
    ] as const) {
      expect((await call(method, `/tasks/${segment}${path}`, body)).body.code).toBe(code);
    }
  });

  test('cannot be one that a URL takes for a step up; an action on many can name it', async () => {
    const { call, scheduler } = setting();
    await scheduler.schedule(work, { id: '..', payload: null, in: '1h' });
    expect((await call('GET', '/tasks/%2e%2e')).status).toBe(404);
    expect((await call('GET', '/tasks/..')).status).toBe(404);
    const order = { action: 'pause', ids: ['..'], dryRun: false };
    expect((await call('POST', '/bulk', order)).body.changed).toBe(1);
  });
});

test.for<[method: string, path: string, status: number]>([
  ['GET', '/nowhere', 404],
  ['GET', '/', 404],
  ['GET', '', 404],
  ['GET', '/tasks/', 404],
  ['GET', '/tasks//pause', 404],
  ['POST', '/tasks/a/explode', 404],
  ['GET', '/../me', 404],
  ['PUT', '/tasks', 405],
  ['OPTIONS', '/tasks', 405],
  ['HEAD', '/tasks', 405],
  ['GET', '/tasks/a/pause', 405],
  ['DELETE', '/openapi.json', 404],
])('%s %s is answered with %i', async ([method, path, status]) => {
  const { call } = setting();
  const answer = await call(method, path);
  expect([answer.status, answer.body.code]).toEqual([status, 'SCHED_REQUEST_INVALID']);
  if (status === 405) expect(answer.headers.get('allow')).toMatch(/^[A-Z, ]+$/);
});

describe('a body', () => {
  test.for<
    [what: string, body: string | Uint8Array, headers: Record<string, string>, status: number]
  >([
    ['that is not JSON', '{', {}, 400],
    ['that is not UTF-8', new Uint8Array([0x22, 0xff, 0x22]), {}, 400],
    ['of another type', 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
    ['of no type that a page may send unasked', '{}', { 'content-type': 'text/plain' }, 415],
    ['that is compressed', '{}', { 'content-encoding': 'gzip' }, 415],
    ['where none is wanted', '{}', {}, 400],
  ])('%s is refused', async ([what, body, headers, status]) => {
    const { api } = setting();
    const path = what === 'where none is wanted' ? '/tasks/a/pause' : '/tasks';
    const response = await api(
      new Request(`${base}${path}`, {
        method: 'POST',
        headers: { 'sched-request': '1', 'content-type': 'application/json', ...headers },
        body: body as string,
      }),
    );
    expect([response.status, await response.json()]).toMatchObject([
      status,
      { code: 'SCHED_REQUEST_INVALID' },
    ]);
  });

  test.for([true, false])('of 10 MB is given up at the limit; said before: %s', async (isSaid) => {
    const { api } = setting({ options: { limits: { bodyBytes: 100_000 } } });
    let sent = 0;
    let isCancelled = false;
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          sent += 10_000;
          controller.enqueue(new Uint8Array(10_000).fill(0x20));
          if (sent >= 10_000_000) controller.close();
        },
        cancel() {
          isCancelled = true;
        },
      },
      { highWaterMark: 0 },
    );
    const request = new Request(`${base}/tasks`, {
      method: 'POST',
      headers: {
        'sched-request': '1',
        'content-type': 'application/json',
        ...(isSaid && { 'content-length': '10000000' }),
      },
      body,
      duplex: 'half',
    } as RequestInit);
    const response = await api(request);
    expect([response.status, await response.json()]).toMatchObject([
      413,
      { code: 'SCHED_REQUEST_INVALID', detail: 'The body has more than 100000 bytes.' },
    ]);
    expect(isCancelled).toBe(true);
    expect(sent).toBeLessThanOrEqual(isSaid ? 0 : 120_000);
  });

  test('with a payload over the limit of the scheduler is refused', async () => {
    const { call } = setting();
    const body = { ...task, payload: 'x'.repeat(2 ** 20) };
    expect(await call('POST', '/tasks', body)).toMatchObject({
      status: 413,
      body: { code: 'SCHED_PAYLOAD_TOO_LARGE' },
    });
  });
});

describe('a secret', () => {
  test.for([
    ['postgres://ada:hunter2@db/x', 'postgres://ada:***@db/x'],
    ['redis://:hunter2@db', 'redis://:***@db'],
    ['at mongodb+srv://a:hun@ter2@db/x?y=z, twice', 'at mongodb+srv://a:***@db/x?y=z, twice'],
    ['host=db password=hunter2 user=ada', 'host=db password=*** user=ada'],
    ['{"password": "hunter2"}', '{"password": ***}'],
    ['PWD=hunter2;Server=db', 'PWD=***;Server=db'],
    ['api-key: hunter2', 'api-key: ***'],
    ['https://db:5432/x has none', 'https://db:5432/x has none'],
  ] as const)('in %s is taken out', ([text, wanted]) => {
    expect(withoutSecrets(text)).toBe(wanted);
  });

  test('of a store that fails is shown by no answer', async () => {
    const url = 'postgres://ada:hunter2@db/tasks';
    const store = new MemoryDataStore();
    const fail = () => Promise.reject(new Error(`cannot connect to ${url}`));
    const failing = Object.assign(Object.create(store), {
      open: fail,
      now: fail,
    }) as MemoryDataStore;
    const { call } = setting({ store: failing });
    for (const path of ['/tasks', '/tasks/a', '/count', '/summary', '/failures', '/health']) {
      const { body } = await call('GET', path);
      const text = JSON.stringify(body);
      expect(text).toContain('cannot connect to postgres://ada:***@db/tasks');
      expect(text).not.toContain('hunter2');
      if (path !== '/health')
        expect(body).toMatchObject({ status: 503, code: 'SCHED_STORE_UNAVAILABLE' });
    }
  });
});

test('answers are kept nowhere, framed by nobody and taken for nothing else', async () => {
  const { call } = setting();
  for (const path of ['/tasks', '/nowhere', '/openapi.json']) {
    const { headers } = await call('GET', path);
    expect(Object.fromEntries(headers)).toMatchObject({
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'cross-origin-resource-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
    });
    expect(headers.has('access-control-allow-origin')).toBe(false);
  }
});
