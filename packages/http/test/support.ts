import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createScheduler, type DataStore, defineTask, type RunContext } from '@sched/core';
import { type Api, type ApiOptions, type AuditEntry, type Caller, createApi } from '@sched/http';
import { MemoryDataStore } from '@sched/memory';
import { SqliteDataStore } from '@sched/sqlite';
import * as v from 'valibot';
import { expect, onTestFinished } from 'vitest';
import { routes } from '../src/routes/index.js';

/** Fails, waits or succeeds, as its payload says. */
export const work = defineTask<unknown>('work', {
  retry: 0,
  handler: ({ payload, signal }: RunContext<unknown>) => {
    if (payload === 'wait') {
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
    }
    const { fail } = (payload ?? {}) as { readonly fail?: string };
    if (fail !== undefined) throw new TypeError(fail);
    return undefined;
  },
});

/** An SQLite file of its own. */
export function sqliteStore(): SqliteDataStore {
  const folder = mkdtempSync(join(tmpdir(), 'sched-http-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return new SqliteDataStore({ path: join(folder, 'tasks.db') });
}

export const base = 'http://tasks.test/sched';

interface Setting {
  readonly store?: DataStore | Record<string, DataStore>;
  readonly options?: Partial<ApiOptions>;
}

/** An API over a scheduler with real tasks, and a client for it that has all rights. */
export function setting({ store = new MemoryDataStore(), options = {} }: Setting = {}) {
  const scheduler = createScheduler({ store, tasks: [work], concurrency: 20 });
  const entries: AuditEntry[] = [];
  const api = createApi({
    scheduler,
    basePath: '/sched',
    authorize: () => ({ who: 'ada', may: 'admin' }),
    audit: (entry) => entries.push(entry),
    ...options,
  });
  onTestFinished(async () => {
    await api.close();
    await scheduler.stop({ deadline: 0 });
  });
  return { scheduler, api, entries, call: caller(api) };
}

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of any form
  readonly body: any;
  readonly headers: Headers;
}

/** Every answer has the form that the document gives it. */
function assertDocumented(method: string, path: string, body: unknown): void {
  const route = routes.find(
    (each) =>
      each.method === method &&
      new RegExp(`^${each.path.replace('{id}', '[^/]+')}(?:[?].*)?$`).test(path),
  );
  if (route?.answer) expect(v.safeParse(route.answer, body).issues).toBeUndefined();
}

/** Makes requests as a program with a token does. */
export function caller(api: Api) {
  return async (
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    const response = await api(
      new Request(`${base}${path}`, {
        method,
        headers: {
          authorization: 'Bearer token',
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
    );
    const text = await response.text();
    const { status } = response;
    const answer = { status, headers: response.headers, body: JSON.parse(text || 'null') };
    if (status === 200) assertDocumented(method, path, answer.body);
    else expect(response.headers.get('content-type')).toBe('application/problem+json');
    return answer;
  };
}

/** The JSON behind an address. */
export async function read(url: string): Promise<Answer['body']> {
  return (await fetch(url)).json();
}

/** Callers by their token: `Bearer read`, `Bearer operate`, `Bearer admin`. */
export function byToken(request: Request): Caller | null {
  const may = request.headers.get('authorization')?.replace('Bearer ', '');
  if (may !== 'read' && may !== 'operate' && may !== 'admin') return null;
  return { who: `one who may ${may}`, may };
}

/** Serves on loopback until the test is over. Gives the origin. */
export async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Asks again and again, leaving the event loop to others, until the answer is what is waited for. */
export async function until<T>(
  ask: () => Promise<T>,
  isWanted: (answer: T) => unknown,
): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (isWanted(answer)) return answer;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
