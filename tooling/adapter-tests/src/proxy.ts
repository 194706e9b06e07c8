import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';

/** What a proxy does to the next call: cuts it off before the server gets it, or when the server has done it. */
type Cut = 'before' | 'after';

/** A proxy on loopback before a server, which cuts connections in the middle of calls. */
export interface Proxy {
  /** The address of the server, with the proxy's host and port in place of its own. */
  readonly url: string;
  readonly port: number;
  /** How often it has cut a call. */
  readonly cuts: number;
  /** Cuts the connection that the next bytes to the server go over, or the next that are meant. */
  cutNext(when: Cut): void;
  /** Cuts every connection there is. */
  cutAll(): void;
  close(): Promise<void>;
}

/**
 * @param isDone whether some bytes of the server's, of which no others have come since, mean that it has done what it
 *   was asked; usually it has by the time at which it begins to answer
 * @param isMeant whether some bytes to the server are of a request that is to be cut, where a call makes several
 */
export async function createProxy(
  url: string,
  isDone: (answer: Buffer) => boolean = () => true,
  isMeant: (request: Buffer) => boolean = () => true,
): Promise<Proxy> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let armed: Cut | undefined;
  let cuts = 0;

  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    /** Whether the answer to come is withheld. */
    let isDoomed = false;
    const cut = () => {
      cuts++;
      client.destroy();
      upstream.destroy();
    };
    client.on('data', (chunk) => {
      const when = armed && isMeant(chunk) ? armed : undefined;
      if (when) armed = undefined;
      if (when === 'before') return cut();
      if (when === 'after') isDoomed = true;
      upstream.write(chunk);
      return undefined;
    });
    upstream.on('data', (chunk) => {
      if (!isDoomed) client.write(chunk);
      else if (isDone(chunk)) cut();
    });
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
  const { port } = server.address() as AddressInfo;
  const here = new URL(url);
  here.hostname = '127.0.0.1';
  here.port = String(port);

  return {
    url: here.href,
    port,
    get cuts() {
      return cuts;
    },
    cutNext(when) {
      armed = when;
    },
    cutAll() {
      for (const socket of sockets) socket.destroy();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
