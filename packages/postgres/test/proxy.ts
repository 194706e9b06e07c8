import { connect, createServer, type Socket } from 'node:net';

/** What a proxy does to the next call. */
type Cut = 'before' | 'after';

/** Ends every answer of the server: the message ReadyForQuery, of five bytes after its letter. */
const readyForQuery = Buffer.from([0x5a, 0, 0, 0, 5]);

/** A proxy on loopback before a server, which cuts connections in the middle of calls. */
export async function createProxy(url: string) {
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
      if (armed === 'before') {
        armed = undefined;
        cut();
        return;
      }
      if (armed === 'after') {
        armed = undefined;
        isDoomed = true;
      }
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (!isDoomed) client.write(chunk);
      else if (chunk.subarray(-6, -1).equals(readyForQuery)) cut();
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
  const address = server.address();
  const here = new URL(url);
  here.hostname = '127.0.0.1';
  here.port = String(typeof address === 'object' && address?.port);

  return {
    url: here.href,
    /** Cuts the connection that the next call goes over: before the server gets it, or after it has answered. */
    cutNext(when: Cut): void {
      armed = when;
    },
    /** How often it has cut. */
    get cuts() {
      return cuts;
    },
    async close(): Promise<void> {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
