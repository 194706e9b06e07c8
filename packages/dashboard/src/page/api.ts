/** Calls the API, which is below the page. */

import { signal } from '@preact/signals';
import { storeAlias } from './router.js';
import type { Me } from './types.js';

/** Why a call was not answered as it should have been. */
export class Problem extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, status: number, message: string) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** Who looks at the page, and what they may do; null as long as that is not known. */
export const me = signal<Me | null>(null);

export function canOperate(): boolean {
  return me.value !== null && me.value.may !== 'read';
}

export function canAdmin(): boolean {
  return me.value?.may === 'admin';
}

/** By how much the clock of the server is ahead of this one's. */
let clockAheadMs = 0;

/** The time by the server's clock, to a second or so. */
export function serverNow(): number {
  return Date.now() + clockAheadMs;
}

type Params = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** The relative address of a call, with the store that is looked at. */
export function address(path: string, params: Params = {}, hasStore = true): string {
  const query = new URLSearchParams();
  const all = hasStore ? { store: storeAlias.value, ...params } : params;
  for (const [name, value] of Object.entries(all)) {
    if (value !== undefined && value !== null && value !== '') query.set(name, `${value}`);
  }
  const text = query.toString();
  return `api/${path}${text && '?'}${text}`;
}

/**
 * Where a task is, below the API.
 *
 * @throws Problem when no address can name it
 */
export function taskPath(id: string, rest = ''): string {
  // Browsers take these for steps, and would ask for something else.
  if (id === '.' || id === '..') {
    throw new Problem('PAGE', 400, `No address can name the task "${id}". Select it in the list.`);
  }
  return `tasks/${encodeURIComponent(id)}${rest}`;
}

export function get<T>(path: string, params?: Params, signal?: AbortSignal): Promise<T> {
  return send<T>('GET', address(path, params), undefined, signal);
}

/** Reads what is about the process and not about one store. */
export function getGlobal<T>(path: string, params?: Params, signal?: AbortSignal): Promise<T> {
  return send<T>('GET', address(path, params, false), undefined, signal);
}

export function post<T>(path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  return send<T>('POST', address(path), body, signal);
}

export function patch<T>(path: string, body: unknown): Promise<T> {
  return send<T>('PATCH', address(path), body);
}

export function remove<T>(path: string): Promise<T> {
  return send<T>('DELETE', address(path));
}

async function send<T>(
  method: string,
  url: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (method !== 'GET') headers['sched-request'] = 'dashboard';
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem('OFFLINE', 0, 'The server cannot be reached. The page goes on trying.');
  }
  const date = Date.parse(response.headers.get('date') ?? '');
  // The header has whole seconds, so a difference of less than two says nothing.
  if (date) clockAheadMs = Math.abs(date - Date.now()) < 2000 ? 0 : date - Date.now();
  return (await read(response)) as T;
}

async function read(response: Response): Promise<unknown> {
  const type = response.headers.get('content-type') ?? '';
  if (!/^application\/(?:problem\+)?json/.test(type)) {
    throw new Problem(
      'UNEXPECTED',
      response.status,
      'The answer is not from the API. You may have been signed out: load the page again.',
    );
  }
  const body: unknown = await response.json();
  if (response.ok) return body;
  // Whoever has been signed out sees nothing any more, rather than what was there before.
  if (response.status === 401) me.value = null;
  const { code = 'UNEXPECTED', detail = response.statusText } = body as Record<string, string>;
  throw new Problem(code, response.status, detail);
}
