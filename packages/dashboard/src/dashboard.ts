import { type Api, type ApiOptions, type Authorize, createApi } from '@sched/http';
import { PageFiles, plain } from './page-files.js';

/** Options of `createDashboard`: those of `createApi` of `@sched/http`. */
export type DashboardOptions = ApiOptions;

/** Answers requests for the page, and for the API below it. Never rejects: what goes wrong is an answer, too. */
export type Dashboard = Api;

/**
 * Makes a handler that serves the dashboard at `<basePath>/` and the API that it shows at `<basePath>/api/`, for any
 * server that has the web's own `Request` and `Response`.
 *
 * The page itself holds no data and is given to everybody. What it shows comes from the API, to those whom `authorize`
 * lets in, and it offers what they may do. Where `authorize` answers by itself, as to send a visitor to a login, it does
 * so for the page, too.
 *
 * @throws SchedError `SCHED_ARGUMENT_INVALID`
 */
export function createDashboard(options: DashboardOptions): Dashboard {
  const basePath = `${options?.basePath ?? ''}`.replace(/\/$/, '');
  const api = createApi({ ...options, basePath: `${basePath}/api` });
  const files = new PageFiles();
  const handle: Api = Object.assign(
    async (...[request, connection]: Parameters<Api>): Promise<Response> => {
      const { pathname } = new URL(request.url);
      if (pathname.startsWith(`${basePath}/api/`)) return api(request, connection);
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        return plain(405, 'The page can only be read.', { allow: 'GET, HEAD' });
      }
      if (pathname === `${basePath}/`) {
        const answer = await ownAnswer(options.authorize, request);
        return answer ?? files.document(request);
      }
      // Relative, because a proxy may have cut off the beginning of the path.
      if (pathname === basePath) {
        return plain(308, 'The page is one level down.', {
          location: `${basePath.slice(basePath.lastIndexOf('/') + 1)}/`,
        });
      }
      const name = pathname.startsWith(`${basePath}/assets/`)
        ? pathname.slice(basePath.length + '/assets/'.length)
        : '';
      return files.asset(request, name) ?? plain(404, 'There is no such page.');
    },
    { close: () => api.close() },
  );
  return handle;
}

/** What `authorize` wants to be sent instead of the page. All else it decides is for the API to say. */
async function ownAnswer(
  authorize: Authorize | undefined,
  request: Request,
): Promise<Response | undefined> {
  try {
    const answer = await authorize?.(request);
    return answer instanceof Response ? answer : undefined;
  } catch {
    // The API asks again, and tells the log.
    return undefined;
  }
}
