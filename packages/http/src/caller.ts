/** Who may do what. */

import { refuse } from './problem.js';

/**
 * `read`: see everything but the audit log. `operate`: also pause, resume, run, cancel and retry tasks. `admin`: also
 * create, change and remove tasks, and see the audit log.
 */
export type Right = 'read' | 'operate' | 'admin';

const rights: readonly Right[] = ['read', 'operate', 'admin'];

/** Who makes a request, and what they may do. */
export interface Caller {
  /** Who it is: written to the audit log, and what the limits are counted by. */
  readonly who: string;
  readonly may: Right;
}

/**
 * Says who makes a request. Reads its headers only: the body is not its own to read.
 *
 * @returns null or undefined when it is nobody who may do anything; a response to send that instead, such as one that
 *   asks for a password
 */
export type Authorize = (
  request: Request,
) => Caller | Response | null | undefined | Promise<Caller | Response | null | undefined>;

/** What the server knows about the connection of a request. `toNodeListener` tells it. */
export interface Connection {
  readonly remoteAddress?: string | undefined;
}

/** Asks `authorize`. */
export async function callerOf(
  request: Request,
  connection: Connection | undefined,
  authorize: Authorize | undefined,
  isDevelopment: boolean,
): Promise<Caller | Response> {
  if (!authorize) return developer(request, connection, isDevelopment);
  const caller = await authorize(request);
  if (caller === null || caller === undefined) {
    throw refuse('SCHED_UNAUTHENTICATED', 'The request does not say who it is from.');
  }
  if (caller instanceof Response) return caller;
  const { who, may } = caller;
  if (typeof who !== 'string' || who === '' || !rights.includes(may)) {
    throw new TypeError(`authorize must give { who, may }, where may is one of ${rights}.`);
  }
  return { who: who.slice(0, 255), may };
}

/** @throws SchedError `SCHED_FORBIDDEN` unless the caller may do what takes this right */
export function assertMay({ may }: Caller, right: Right): void {
  if (rights.indexOf(may) >= rights.indexOf(right)) return;
  throw refuse(
    'SCHED_FORBIDDEN',
    `This takes the right to ${right}, and the caller may only ${may}.`,
  );
}

/** Without `authorize`: whoever sits at the machine on which this is developed, and nobody else. */
function developer(
  request: Request,
  connection: Connection | undefined,
  isDevelopment: boolean,
): Caller {
  if (!isDevelopment) {
    throw refuse(
      'SCHED_UNAUTHENTICATED',
      'createApi was not given authorize, so nobody is served.',
    );
  }
  const { hostname } = new URL(request.url);
  const isForwarded = ['forwarded', 'via', 'x-forwarded-for', 'x-real-ip'].some((name) =>
    request.headers.has(name),
  );
  // The address keeps out other machines, the name keeps out pages whose own name was made to lead here.
  if (isForwarded || !isLoopback(connection?.remoteAddress) || !isLoopback(hostname)) {
    throw refuse(
      'SCHED_UNAUTHENTICATED',
      'createApi was not given authorize, so only requests are served that are known to come from this machine. Mount it by toNodeListener, or hand on { remoteAddress } as the second argument.',
    );
  }
  return { who: 'developer', may: 'admin' };
}

function isLoopback(host: string | undefined): boolean {
  return (
    host !== undefined &&
    /^(?:(?:::ffff:)?127\.\d+\.\d+\.\d+|::1|\[::1\]|localhost|[a-z0-9-]+\.localhost)$/i.test(host)
  );
}
