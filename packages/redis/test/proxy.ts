import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';

/** What a proxy does to the next call: cuts it off before the server gets it, or when the server has answered it. */
type Cut = 'before' | 'after';

/** A proxy on loopback before a server, which cuts connections in the middle of calls. */
export async function createProxy(url: string) {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let armed: Cut | undefined;
  let cuts = 0;

  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    let isDoomed = false;
    const cut = () => {
      cuts++;
      client.destroy();
      upstream.destroy();
    };
    client.on('data', (chunk) => {
      const when = armed;
      armed = undefined;
      if (when === 'before') return cut();
      if (when === 'after') isDoomed = true;
      upstream.write(chunk);
      return undefined;
    });
    // The server has done what it was asked by the time at which it begins to answer.
    upstream.on('data', (chunk) => (isDoomed ? cut() : client.write(chunk)));
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const here = new URL(url);
  here.hostname = '127.0.0.1';
  here.port = String((server.address() as AddressInfo).port);

  return {
    url: here.href,
    cutNext(when: Cut): void {
      armed = when;
    },
    /** Cuts every connection there is. */
    cutAll(): void {
      for (const socket of sockets) socket.destroy();
    },
    /** How often it has cut a call. */
    get cuts() {
      return cuts;
    },
    async close(): Promise<void> {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
