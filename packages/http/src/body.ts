import { refuse } from './problem.js';

/**
 * Reads the JSON of a request, and no more of it than is allowed.
 *
 * @returns undefined when there is no body
 * @throws SchedError `SCHED_REQUEST_INVALID`
 */
export async function readJson(request: Request, maxBytes: number): Promise<unknown> {
  const { headers, body } = request;
  if (request.bodyUsed) throw new TypeError('authorize must not read the body of the request.');
  if (body === null) return undefined;
  if (Number(headers.get('content-length') ?? 0) > maxBytes) {
    await body.cancel();
    throw tooLarge(maxBytes);
  }
  const bytes = await readBytes(body, maxBytes);
  if (bytes.length === 0) return undefined;
  const type = headers.get('content-type') ?? '';
  if (!/^application\/(?:[\w.-]+\+)?json *(?:;|$)/i.test(type) || headers.has('content-encoding')) {
    throw refuse('SCHED_REQUEST_INVALID', 'The body must be application/json, not compressed.', {
      status: 415,
    });
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw refuse('SCHED_REQUEST_INVALID', 'The body is not JSON in UTF-8.');
  }
}

async function readBytes(body: ReadableStream<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop early cancels the stream: the rest is never read.
  for await (const chunk of body) {
    length += chunk.length;
    if (length > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function tooLarge(maxBytes: number) {
  return refuse('SCHED_REQUEST_INVALID', `The body has more than ${maxBytes} bytes.`, {
    status: 413,
    headers: { connection: 'close' },
  });
}
