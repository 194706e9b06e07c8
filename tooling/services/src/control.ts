// The other end of `ask` in client.ts: HTTP over a socket that only this user can open. An answer is
// JSON lines: any number of `progress`, then one `result` or `error`.

import { chmodSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { Requests, Results } from './client.ts';
import { message } from './processes.ts';
import type { Supervisor } from './supervisor.ts';

type Handlers = {
  [K in keyof Requests]: (
    body: Requests[K],
    progress: (text: string) => void,
  ) => Promise<Results[K]>;
};

/** Serves a supervisor on a socket; calls `ended` when somebody had it end, and has been told so. */
export async function serve(
  supervisor: Supervisor,
  socket: string,
  ended: () => void,
): Promise<Server> {
  const handlers: Handlers = {
    start: ({ id }, progress) => supervisor.start(id, progress),
    halt: ({ id, kill }) => supervisor.halt(id, kill ? 'kill' : 'polite').then(() => null),
    resume: ({ id }) => supervisor.resume(id).then(() => null),
    discard: ({ id }) => supervisor.discard(id).then(() => null),
    outcomes: () => supervisor.outcomes(),
    end: () => supervisor.end().then(() => null),
  };
  const server = createServer(async (incoming, answer) => {
    const line = (value: unknown) => answer.write(`${JSON.stringify(value)}\n`);
    try {
      const [name, body] = [(incoming.url ?? '').slice(1), await text(incoming)];
      const handler = Object.entries(handlers).find(([key]) => key === name)?.[1];
      if (handler === undefined) throw new Error(`There is nothing called ${name} to ask for.`);
      line({ result: await handler(JSON.parse(body), (progress) => line({ progress })) });
    } catch (error) {
      line({ error: message(error) });
    }
    answer.end(() => {
      if (incoming.url === '/end') ended();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, resolve);
  });
  chmodSync(socket, 0o600);
  return server;
}

async function text(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
