import { isSchedError } from '@sched/core';
import { json } from './answer.js';
import { AuditLog, logError } from './audit.js';
import { readJson } from './body.js';
import { assertMay, type Connection, callerOf } from './caller.js';
import { EventHub } from './event-hub.js';
import { openApi } from './openapi.js';
import { type ApiOptions, readOptions, type Settings } from './options.js';
import { problemOf, refuse } from './problem.js';
import { RateLimit } from './rate.js';
import { type Context, call, type Method, type Route } from './route.js';
import { routes } from './routes/index.js';
import { assertSameOrigin } from './same-origin.js';

/** Answers requests. Never rejects: what goes wrong is an answer, too. */
export interface Api {
  /** @param connection what the server knows of it; `toNodeListener` of `@sched/http/node` hands it on */
  (request: Request, connection?: Connection): Promise<Response>;
  /** Ends the event streams, and closes the stores if the API was given `store`. */
  close(): Promise<void>;
}

/**
 * Makes an HTTP API over the tasks of a scheduler or a store, for any server that has the web's own `Request` and
 * `Response`.
 *
 * @throws SchedError `SCHED_ARGUMENT_INVALID`
 */
export function createApi(options: ApiOptions): Api {
  const settings = readOptions(options);
  const { scheduler, limits, redact } = settings;
  const context: Context = {
    ...{ scheduler, limits, redact },
    audit: new AuditLog(settings.audit),
    events: new EventHub(scheduler, limits),
  };
  const rate = new RateLimit(limits.changesPerMinute);
  const handle = async (request: Request, connection?: Connection): Promise<Response> => {
    try {
      return await answer(request, connection, settings, context, rate);
    } catch (error) {
      if (!isSchedError(error)) logError('A request failed', error);
      return problemOf(error);
    }
  };
  return Object.assign(handle, {
    async close(): Promise<void> {
      context.events.close();
      if (options.scheduler === undefined) await scheduler.stop();
    },
  });
}

async function answer(
  request: Request,
  connection: Connection | undefined,
  settings: Settings,
  context: Context,
  rate: RateLimit,
): Promise<Response> {
  const { authorize, isDevelopment, basePath, origins, limits } = settings;
  const caller = await callerOf(request, connection, authorize, isDevelopment);
  if (caller instanceof Response) return caller;
  const { pathname, searchParams: params } = new URL(request.url);
  if (pathname === `${basePath}/openapi.json` && request.method === 'GET') return json(openApi());
  const { route, id } = find(request.method, pathname, basePath);
  assertMay(caller, route.may);
  let body: unknown;
  if (route.method !== 'GET') {
    assertSameOrigin(request, origins);
    if (route.may !== 'read') rate.take(caller.who);
    body = await readJson(request, limits.bodyBytes);
  }
  const result = await call(route, context, { request, caller, id, params, body });
  return result instanceof Response ? result : json(result);
}

/** @throws SchedError `SCHED_REQUEST_INVALID` */
function find(method: string, pathname: string, basePath: string) {
  const segments = pathname.startsWith(`${basePath}/`)
    ? pathname.slice(basePath.length + 1).split('/')
    : [];
  const found = routes.filter(({ path }) => matches(path, segments));
  const route = found.find((each) => each.method === method);
  if (route) return { route, id: idOf(route, segments) };
  if (found.length === 0) {
    throw refuse('SCHED_REQUEST_INVALID', 'The API has no such path: see openapi.json.', {
      status: 404,
    });
  }
  const allowed = found.map((each): Method => each.method).join(', ');
  throw refuse('SCHED_REQUEST_INVALID', `This path takes ${allowed}.`, {
    status: 405,
    headers: { allow: allowed },
  });
}

function matches(path: string, segments: readonly string[]): boolean {
  const parts = path.slice(1).split('/');
  return (
    parts.length === segments.length &&
    parts.every(
      (part, index) => part === segments[index] || (part === '{id}' && segments[index] !== ''),
    )
  );
}

/** The id in a path. It is one segment, whatever it holds: a slash in it comes as `%2F`. */
function idOf({ path }: Route, segments: readonly string[]): string {
  const index = path.slice(1).split('/').indexOf('{id}');
  try {
    return index < 0 ? '' : decodeURIComponent(segments[index] ?? '');
  } catch {
    throw refuse('SCHED_REQUEST_INVALID', 'The id in the path is not percent-encoded UTF-8.');
  }
}
