import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Authorize, Caller } from '@sched/http';

/** Lets in who has the token, and whose browser has been in before. */
export interface Doorkeeper {
  /** What the address has to bring. */
  readonly token: string;
  readonly authorize: Authorize;
  /** @param address where the page is; nobody is let in before it is known */
  open(address: string): void;
}

/**
 * Guards a page on loopback, where every user of the machine, and every page in a browser, can send requests to.
 *
 * The address that is given to the user has a token in it. Whoever comes with that gets a cookie and is sent on to the
 * same address without it, so that the token is in nothing that the page sends or shows.
 */
export function doorkeeper(caller: Caller): Doorkeeper {
  const token = randomBytes(24).toString('base64url');
  const session = randomBytes(24).toString('base64url');
  let home: URL | undefined;

  return {
    token,
    open(address) {
      home = new URL(address);
    },
    authorize(request) {
      const url = new URL(request.url);
      // Another name that was made to lead to this machine is none of its own.
      if (home === undefined || url.host !== home.host) return refused();
      const name = `sched-dashboard-${home.port}`;
      const given = url.searchParams.get('token');
      if (given !== null && url.pathname === home.pathname) {
        if (!isSame(given, token)) return refused();
        // Lax, not strict: the user comes from a file, or from a link in another page.
        const cookie = `${name}=${session}; Path=${home.pathname}; HttpOnly; SameSite=Lax`;
        return new Response(null, {
          status: 303,
          headers: { location: './', 'set-cookie': cookie, 'cache-control': 'no-store' },
        });
      }
      return isSame(cookieOf(request, name), session) ? caller : refused();
    },
  };
}

function refused(): Response {
  return new Response(
    'Open the whole address that was written when this page was started: it has a token.\n',
    {
      status: 401,
      headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' },
    },
  );
}

function cookieOf(request: Request, name: string): string {
  const cookies = (request.headers.get('cookie') ?? '').split('; ');
  return cookies.find((each) => each.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
}

/** Compares without telling by the time it takes how much is right. */
function isSame(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}
