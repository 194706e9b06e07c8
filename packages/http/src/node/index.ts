/** Mounts a handler of the web's `Request` and `Response` in `node:http`, and in the frameworks built on it. */

import type { IncomingMessage, ServerResponse } from 'node:http';

/** What `createApi` gives, or any other handler of that form. */
export type WebHandler = (
  request: Request,
  connection: { readonly remoteAddress?: string | undefined },
) => Response | Promise<Response>;

/** A request as `node:http` and the frameworks built on it have it. */
export type NodeRequest = IncomingMessage & {
  /** The path before a framework has cut off what it is mounted at. */
  readonly originalUrl?: string;
  /** What a body parser has read. */
  readonly body?: unknown;
};

/**
 * Makes a listener for `http.createServer`, or for `app.use` of Express, of a handler.
 *
 * The path that the handler sees is the whole one, also below a mount point. A client that goes away aborts the request
 * and cancels the body of the answer; one that reads slowly is waited for.
 */
export function toNodeListener(
  handler: WebHandler,
): (req: NodeRequest, res: ServerResponse) => Promise<void> {
  return async (req, res) => {
    const aborting = new AbortController();
    res.once('close', () => {
      if (!res.writableFinished) aborting.abort();
    });
    try {
      const request = requestOf(req, aborting.signal);
      const { remoteAddress } = req.socket;
      await send(request ? await handler(request, { remoteAddress }) : badRequest(), req, res);
    } catch {
      // What a handler throws may hold anything, so nothing of it is told.
      if (!res.headersSent) res.statusCode = 500;
      res.end();
    }
  };
}

function badRequest(): Response {
  return new Response(null, { status: 400 });
}

/** The request; undefined when it names no host or path that could be one. */
function requestOf(req: NodeRequest, signal: AbortSignal): Request | undefined {
  const scheme = 'encrypted' in req.socket ? 'https' : 'http';
  const target = req.originalUrl ?? req.url ?? '/';
  // Put together, not resolved: a path that begins with two slashes would be another host.
  const url = target.startsWith('/')
    ? `${scheme}://${req.headers.host ?? 'localhost'}${target}`
    : target;
  if (!URL.canParse(url)) return undefined;
  const headers = new Headers();
  const isParsed = isParsedBefore(req);
  for (const [name, values = []] of Object.entries(req.headersDistinct)) {
    for (const value of values) if (!name.startsWith(':')) headers.append(name, value);
  }
  // What a body parser has read is not compressed any more.
  if (isParsed) headers.delete('content-encoding');
  const method = req.method ?? 'GET';
  const hasBody = method !== 'GET' && method !== 'HEAD';
  return new Request(url, {
    ...{ method, headers, signal },
    ...(hasBody && { body: isParsed ? parsedBody(req) : bodyOf(req), duplex: 'half' }),
  });
}

/** Whether a body parser that came first has left nothing to read but what it made of it. */
function isParsedBefore({ readableEnded, body }: NodeRequest): boolean {
  return readableEnded && body !== undefined;
}

function parsedBody({ body, headers }: NodeRequest): string | Uint8Array<ArrayBuffer> | null {
  // Some parsers make an empty object of nothing.
  if (headers['content-length'] === '0') return null;
  if (typeof body === 'string') return body;
  return Buffer.isBuffer(body) ? new Uint8Array(body) : JSON.stringify(body);
}

function bodyOf(req: NodeRequest): ReadableStream<Uint8Array> {
  let cleanUp = (): void => {};
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const onData = (chunk: Buffer) => {
          controller.enqueue(new Uint8Array(chunk));
          if ((controller.desiredSize ?? 0) <= 0) req.pause();
        };
        const onEnd = () => {
          cleanUp();
          controller.close();
        };
        const onClose = () => {
          cleanUp();
          controller.error(new Error('The client went away.'));
        };
        cleanUp = () => {
          req.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
          // Somebody has to listen, or a connection that breaks later would end the process.
          req.on('error', () => {});
        };
        req.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
        req.pause();
      },
      pull() {
        req.resume();
      },
      cancel() {
        cleanUp();
        // Read and thrown away, so that the client comes to read the answer.
        req.resume();
      },
    },
    { highWaterMark: 1 },
  );
}

async function send(response: Response, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const { status, headers, body } = response;
  res.statusCode = status;
  for (const [name, value] of headers) if (name !== 'set-cookie') res.setHeader(name, value);
  const cookies = headers.getSetCookie();
  if (cookies.length > 0) res.setHeader('set-cookie', cookies);
  // What is left of a body that nobody wants must not be taken for the next request.
  const isUnread = !req.complete;
  if (isUnread) res.setHeader('connection', 'close');
  if (body === null || req.method === 'HEAD') {
    await body?.cancel();
    if (isUnread) await drain(req);
    res.end();
    return;
  }
  res.flushHeaders();
  const reader = body.getReader();
  const onClose = () => reader.cancel().catch(() => {});
  res.once('close', onClose);
  // A stream may fail while its reader is not read from, because it is not read from.
  reader.closed.catch(() => res.destroy());
  for (;;) {
    const { done, value } = await reader.read();
    if (done || res.destroyed) break;
    if (!res.write(value)) await drained(res);
  }
  res.off('close', onClose);
  if (isUnread) await drain(req);
  res.end();
}

/** How long to go on reading, for the sake of a client that does not look for the answer before it has sent all. */
const drainMs = 5000;

/** Reads what is left of a body, and throws it away: a connection that is closed before would take the answer along. */
function drain(req: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, drainMs);
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    if (req.complete || req.destroyed) done();
    else req.on('end', done).on('close', done).on('error', done).resume();
  });
}

function drained(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      res.off('drain', done).off('close', done);
      resolve();
    };
    res.on('drain', done).on('close', done);
  });
}
