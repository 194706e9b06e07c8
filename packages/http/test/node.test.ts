import { connect } from 'node:net';
import { createApi } from '@sched/http';
import { toNodeListener } from '@sched/http/node';
import { MemoryDataStore } from '@sched/memory';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { read, serve, setting, sqliteStore, until, work } from './support.js';

test('tasks are listed, shown and paused over node:http, on SQLite', async () => {
  const { scheduler, api } = setting({ store: sqliteStore() });
  await scheduler.schedule(work, { id: 'ada/digest', payload: { to: 'ada' }, every: '5m' });
  await scheduler.schedule(work, { id: 'b', payload: null, cron: '30 9 * * MON-FRI' });
  const base = `${await serve(toNodeListener(api))}/sched`;
  const headers = { 'sched-request': '1' };

  const list = await read(`${base}/tasks?limit=1`);
  const rest = await read(`${base}/tasks?limit=1&cursor=${list.next}`);
  const ids = [...list.tasks, ...rest.tasks].map(({ id }: { id: string }) => id);
  expect(ids.sort()).toEqual(['ada/digest', 'b']);

  const path = `${base}/tasks/${encodeURIComponent('ada/digest')}`;
  const shown = await read(path);
  expect(shown).toMatchObject({
    ...{ id: 'ada/digest', state: 'scheduled', payload: { to: 'ada' } },
    trigger: { words: 'every 5 minutes', json: { kind: 'every', every: 300_000 } },
  });
  expect(shown.occurrences).toHaveLength(10);

  const paused = await fetch(`${path}/pause`, { method: 'POST', headers });
  expect([paused.status, await paused.json()]).toEqual([200, { changed: true }]);
  expect(await scheduler.get('ada/digest')).toMatchObject({ state: 'paused' });
});

describe('the adapter', () => {
  test('hands on method, path, headers and body, and sends status, headers and body', async () => {
    const origin = await serve(
      toNodeListener(async (request, { remoteAddress }) => {
        const { pathname, search } = new URL(request.url);
        const told = [request.method, pathname, search, request.headers.get('x-a'), remoteAddress];
        return new Response(JSON.stringify([...told, await request.text()]), {
          status: 207,
          headers: [
            ['x-b', '1'],
            ['set-cookie', 'a=1'],
            ['set-cookie', 'b=2'],
          ],
        });
      }),
    );
    const response = await fetch(`${origin}/a%2Fb/c?d=e`, {
      method: 'PATCH',
      headers: { 'x-a': 'ä'.normalize('NFD').slice(0, 1) },
      body: 'text',
    });
    expect(await response.json()).toEqual(['PATCH', '/a%2Fb/c', '?d=e', 'a', '127.0.0.1', 'text']);
    expect([response.status, response.headers.get('x-b')]).toEqual([207, '1']);
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  });

  test('sends and takes much, in order', async () => {
    const origin = await serve(toNodeListener(async (request) => new Response(request.body)));
    const bytes = new Uint8Array(8_000_000).map((_, index) => index % 251);
    const response = await fetch(origin, { method: 'POST', body: bytes });
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);
  });

  test.for<[what: string, start: string, status: number, host?: string]>([
    ['a path of two slashes', 'GET //evil.test/x HTTP/1.1', 200, 'a.test'],
    ['a whole URL', 'GET http://b.test/x HTTP/1.1', 200, 'b.test'],
    ['a host that is none', 'GET / HTTP/1.1', 400, 'a b'],
    ['no path at all', 'OPTIONS * HTTP/1.1', 400, 'a.test'],
  ])('takes %s for what it is', async ([, start, status, host]) => {
    const origin = await serve(toNodeListener(({ url }) => new Response(new URL(url).host)));
    const name = start.includes('b.test') ? 'a.test' : host;
    const answer = await raw(origin, `${start}\r\nHost: ${name}\r\nConnection: close\r\n\r\n`);
    expect(answer).toContain(`HTTP/1.1 ${status} `);
    if (status === 200) expect(answer).toContain(`\r\n${host}\r\n`);
  });

  test('tells nothing of what a handler throws', async () => {
    const origin = await serve(
      toNodeListener(() => {
        throw new Error('hunter2');
      }),
    );
    const response = await fetch(origin);
    expect([response.status, await response.text()]).toEqual([500, '']);
  });

  test('a client that goes away aborts the request and cancels the answer', async () => {
    const seen: string[] = [];
    const origin = await serve(
      toNodeListener((request) => {
        request.signal.addEventListener('abort', () => seen.push('aborted'));
        const body = new ReadableStream({
          start: (controller) => controller.enqueue(new TextEncoder().encode('first')),
          cancel: () => void seen.push('cancelled'),
        });
        return new Response(body);
      }),
    );
    const going = new AbortController();
    const response = await fetch(origin, { signal: going.signal });
    await response.body?.getReader().read();
    expect(seen).toEqual([]);
    going.abort();
    await until(
      async () => seen.length,
      (length) => length === 2,
    );
    expect(seen.sort()).toEqual(['aborted', 'cancelled']);
  });

  test('a client that does not read is waited for, and one that the answer gives up on is cut off', async () => {
    let pulled = 0;
    let isCutOff = false;
    let fail = (_error: Error): void => {};
    const listener = toNodeListener(() => {
      const body = new ReadableStream({
        start: (controller) => {
          fail = (error) => controller.error(error);
        },
        pull(controller) {
          pulled++;
          controller.enqueue(new Uint8Array(100_000));
        },
      });
      return new Response(body);
    });
    const origin = await serve((req, res) => {
      res.on('close', () => {
        isCutOff = true;
      });
      return listener(req, res);
    });
    const { hostname, port } = new URL(origin);
    const socket = connect(Number(port), hostname)
      .pause()
      .on('error', () => {});
    onTestFinished(() => void socket.destroy());
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    // As much as the kernel takes, and no more.
    let before = -1;
    await until(
      async () => {
        for (let turn = 0; turn < 200; turn++)
          await new Promise((resolve) => setImmediate(resolve));
        return pulled;
      },
      (now) => {
        const isStill = now > 0 && now === before;
        before = now;
        return isStill;
      },
    );
    expect([pulled < 1000, isCutOff]).toEqual([true, false]);
    fail(new Error('does not keep up'));
    await until(async () => isCutOff, Boolean);
  });

  test('a stream of a browser that has gone makes room for another', async () => {
    const { api } = setting({ options: { limits: { streams: 1 } } });
    const url = `${await serve(toNodeListener(api))}/sched/events`;
    const going = new AbortController();
    const first = await fetch(url, { signal: going.signal });
    expect(first.headers.get('content-type')).toBe('text/event-stream');
    const refused = await fetch(url);
    expect([refused.status, (await refused.text()).length > 0]).toEqual([503, true]);
    going.abort();
    const again = await until(
      async () => {
        const response = await fetch(url);
        if (response.status !== 200) await response.text();
        return response;
      },
      ({ status }) => status === 200,
    );
    await again.body?.cancel();
  });

  test('a body of 10 MB is refused, the client is told, and the next request is served', async () => {
    const { api } = setting();
    const base = `${await serve(toNodeListener(api))}/sched`;
    const headers = { 'sched-request': '1', 'content-type': 'application/json' };
    const stream = () =>
      new ReadableStream({
        start(controller) {
          for (let n = 0; n < 100; n++) controller.enqueue(new Uint8Array(100_000).fill(0x20));
          controller.close();
        },
      });
    for (const body of [new Uint8Array(10_000_000).fill(0x20), stream()]) {
      const init = { method: 'POST', headers, body, duplex: 'half' } as RequestInit;
      const response = await fetch(`${base}/tasks`, init);
      expect([response.status, await response.json()]).toMatchObject([
        413,
        { code: 'SCHED_REQUEST_INVALID' },
      ]);
      expect((await fetch(`${base}/me`)).status).toBe(200);
    }
  });

  test('on loopback, without authorize, it serves whoever sits at the machine', async () => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const api = createApi({ store: new MemoryDataStore() });
    const origin = await serve(toNodeListener(api));
    expect(await read(`${origin}/me`)).toEqual({ who: 'developer', may: 'admin' });
    const other = await raw(
      origin,
      'GET /me HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n',
    );
    expect(other).toContain('HTTP/1.1 401 ');
    vi.restoreAllMocks();
  });
});

/** What a server answers to these bytes. */
async function raw(origin: string, text: string): Promise<string> {
  const { hostname, port } = new URL(origin);
  const socket = connect(Number(port), hostname);
  socket.end(text);
  let answer = '';
  for await (const chunk of socket) answer += chunk;
  return answer;
}
