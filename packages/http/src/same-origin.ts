import { refuse } from './problem.js';

/** The header by which a program that is no browser says that it means it. Its value does not matter. */
export const requestHeader = 'sched-request';

/**
 * Refuses changes that a page of another site makes in the name of a visitor.
 *
 * Browsers say where a request comes from, and no page can change that. Whoever does not say it is no browser, or a very
 * old one: it has to send a header that pages of other sites cannot send without being asked first, which this API
 * never agrees to.
 *
 * @param origins other origins that may make changes
 * @throws SchedError `SCHED_FORBIDDEN`
 */
export function assertSameOrigin(request: Request, origins: readonly string[]): void {
  const origin = request.headers.get('origin');
  const site = request.headers.get('sec-fetch-site');
  if (origin !== null && origins.includes(origin)) return;
  if (site !== null) {
    if (site === 'same-origin') return;
    throw refuse('SCHED_FORBIDDEN', `A change must not come from another site (${site}).`);
  }
  if (origin !== null) {
    if (hostOf(origin) === hostOf(request.url)) return;
    throw refuse(
      'SCHED_FORBIDDEN',
      'A change must come from the origin of this API. Behind a proxy that changes the Host header, name the origin outside: createApi({ origins }).',
    );
  }
  const token = request.headers.get('authorization');
  // Browsers send a password that they have been given by themselves.
  if (token !== null && !/^(?:basic|digest|negotiate|ntlm)\b/i.test(token)) return;
  if (request.headers.has(requestHeader)) return;
  throw refuse(
    'SCHED_FORBIDDEN',
    'A change needs a header that shows where it comes from: Origin or Sec-Fetch-Site, as browsers send them, Authorization with a token, or Sched-Request with any value.',
  );
}

/** The host and port. The scheme may differ, where a proxy ends TLS. */
function hostOf(url: string): string | null {
  return URL.canParse(url) ? new URL(url).host : null;
}
