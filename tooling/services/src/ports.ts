import { createServer } from 'node:net';

// Below the range from which systems take the ports of outgoing connections, so that a server which
// is stopped for a moment finds its port free again.
const first = 20_000;
const last = 31_999;

const handedOut = new Set<number>();

/** A free port of the loopback interface. No two calls in this process get the same one. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = first + Math.floor(Math.random() * (last - first + 1));
    if (handedOut.has(port) || !(await isFree(port))) continue;
    handedOut.add(port);
    return port;
  }
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.close(() => resolve(true));
    });
  });
}
